"""Train an encoder on text: python tuning/pretrain.py --corpus FILES --output FOLDER."""

import sys

from tuning.corpus import CorpusError
from tuning.display import make_console
from tuning.interrupts import INTERRUPTED
from tuning.prepare import USER_ERRORS
from tuning.pretraining_config import DivergedError
from tuning.pretraining_options import build_parser, print_plan
from tuning.pretraining_plan import make_plan
from tuning.whole_files import DamagedError


def main() -> int:
    """Return 0 when the encoder is written, 2 if what was asked cannot be done, 130 on Ctrl-C."""
    args, console = build_parser().parse_args(), make_console()
    try:
        plan = make_plan(args)
        print_plan(plan, console)
        if args.dry_run:
            return 0
        from tuning import pretraining_session  # torch and transformers take seconds

        try:
            return pretraining_session.run(plan, args, console)
        except KeyboardInterrupt:
            print(pretraining_session.how_to_go_on(args), file=sys.stderr)
            return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (*USER_ERRORS, CorpusError, DamagedError, DivergedError) as error:
        print(f"pretrain.py: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
