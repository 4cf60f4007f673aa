"""Run every trial of a grid: python tuning/run_grid.py [experiments/FILE.yaml] [--dry-run]."""

import argparse
import sys

from measures.command_line import run_command
from tuning.parsers import build_parser


def main() -> int:
    """Return the exit code: 0 if every trial finished, 1 if one failed, 2 if nothing can run.

    130 is that of an interrupted launch.
    """
    return _run(build_parser("Run every trial of a grid.", "grid.yaml").parse_args())


def _run(args: argparse.Namespace) -> int:
    # here, since --help needs none of them
    from tuning.cli import (
        USER_ERRORS,
        launch_options,
        prepare_experiment,
        read_experiment,
        report_error,
        require_grid,
    )
    from tuning.execution.plan import place_rows, print_plan
    from tuning.execution.ray_session import check_address, ray_session, set_ray_defaults
    from tuning.system.console import make_console, print_details
    from tuning.system.imports import import_aside
    from tuning.system.machine import recall_rates
    from tuning.system.signals import INTERRUPTED
    from tuning.tracking.resume import choose_launch, leave_interrupted, resume_hint
    from tuning.tracking.store_check import needed_first

    console, name, options = make_console(), args.config.stem, None
    try:
        options = launch_options(args)
        experiment = require_grid(read_experiment(args), args.config)
        name = experiment.name
        # first, since the rest takes seconds; a plan alone needs no choice
        named = options.resume or options.launch
        resumed = choose_launch(options, name) if named or not args.dry_run else None
        prepared = prepare_experiment(args, experiment, console)
        rates = recall_rates(options.cache)
        print_plan(
            prepared,
            console,
            rates,
            place_rows(prepared, rates, options.output, options.tracking_uri),
        )
        print_details(console, prepared.details if args.verbose else ())
        if args.dry_run:
            return 0
        leave_interrupted(options, name)
        set_ray_defaults(args.address)
        check_address(args.address)
        with (
            import_aside("tuning.execution.grid", *needed_first(options.tracking_uri)) as session,
            ray_session(args.address, len(prepared.trials)),
        ):
            return session.result().run(prepared, resumed, options, console)
    except KeyboardInterrupt:
        if options is not None:
            print(resume_hint(options, name), file=sys.stderr)
        return INTERRUPTED
    except USER_ERRORS as error:
        return report_error("run_grid.py", error, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(run_command(main))
