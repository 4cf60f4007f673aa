"""Train an encoder on text: python tuning/pretrain.py --corpus FILES --output FOLDER."""

import sys

from tuning.cli import USER_ERRORS, build_pretraining_parser
from tuning.pretraining.corpus import CorpusError
from tuning.pretraining.plan import make_plan, print_plan
from tuning.pretraining.recipe import DivergedError
from tuning.system.atomic_files import DamagedError
from tuning.system.console import make_console
from tuning.system.signals import INTERRUPTED


def main() -> int:
    """Return 0 when the encoder is written, 2 if what was asked cannot be done, 130 on Ctrl-C."""
    args, console = build_pretraining_parser().parse_args(), make_console()
    try:
        plan = make_plan(args)
        print_plan(plan, console)
        if args.dry_run:
            return 0
        from tuning.pretraining import (
            session as pretraining_session,  # torch and transformers take seconds
        )

        try:
            return pretraining_session.run(plan, args, console)
        except KeyboardInterrupt:
            print(pretraining_session.resume_hint(args), file=sys.stderr)
            return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (*USER_ERRORS, CorpusError, DamagedError, DivergedError) as error:
        print(f"pretrain.py: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
