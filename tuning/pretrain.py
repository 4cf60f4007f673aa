"""Train an encoder on text: python tuning/pretrain.py --corpus FILES --output FOLDER."""

import argparse
import sys

from measures.command_line import run_command
from tuning.parsers import build_pretraining_parser


def main() -> int:
    """Return the exit code: 0 if the encoder is written, 2 if it cannot be trained.

    130 is that of an interrupted training.
    """
    return _run(build_pretraining_parser().parse_args())


def _run(args: argparse.Namespace) -> int:
    # here, since --help needs none of them
    from measures.addresses import store_rows
    from tuning.cli import (
        USER_ERRORS,
        pretraining_options,
        report_error,
    )
    from tuning.pretraining.corpus import CorpusError
    from tuning.pretraining.plan import make_plan, print_plan
    from tuning.pretraining.recipe import DivergedError
    from tuning.system.atomic_files import DamagedError
    from tuning.system.console import make_console
    from tuning.system.signals import INTERRUPTED

    console = make_console()
    try:
        options = pretraining_options(args)
        if args.dry_run:
            print_plan(make_plan(options, console), console, store_rows(options.tracking_uri))
            return 0
        from tuning.pretraining import session  # torch and transformers take seconds to import

        session.check_output(options)  # first: a plan reads all of the text
        plan = make_plan(options, console)
        print_plan(plan, console, store_rows(options.tracking_uri))
        try:
            return session.run(plan, options, console)
        except KeyboardInterrupt:
            print(session.resume_hint(options), file=sys.stderr)
            return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (*USER_ERRORS, CorpusError, DamagedError, DivergedError) as error:
        return report_error("pretrain.py", error, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(run_command(main))
