"""Search for the best classifier: python tuning/run_search.py [experiments/FILE.yaml]."""

import argparse
import sys

from measures.command_line import run_command
from tuning.parsers import add_search_options, build_parser


def main() -> int:
    """Return the exit code: 0 if there is a champion and no trial failed, 1 otherwise.

    2 is that of a search that cannot run, 130 that of an interrupted one.
    """
    parser = build_parser("Search with Optuna, confirm the best, test it once.", "bonus_f1.yaml")
    return _run(add_search_options(parser).parse_args())


def _run(args: argparse.Namespace) -> int:
    # here, since --help needs none of them
    from tuning.cli import (
        USER_ERRORS,
        launch_options,
        prepare_experiment,
        read_experiment,
        report_error,
        require_search,
    )
    from tuning.execution.plan import place_rows
    from tuning.execution.ray_session import check_address, set_ray_defaults
    from tuning.search.plan import print_search_plan
    from tuning.system.console import make_console, print_details
    from tuning.system.machine import recall_rates
    from tuning.system.signals import INTERRUPTED
    from tuning.tracking.resume import choose_launch, leave_interrupted, resume_hint

    console, name, options = make_console(), args.config.stem, None
    try:
        options = launch_options(args)
        experiment = read_experiment(args)
        name = experiment.name
        search = require_search(experiment, args.config)
        # first, since the rest takes seconds; a plan alone needs no choice
        named = options.resume or options.launch
        resumed = choose_launch(options, name) if named or not args.dry_run else None
        prepared = prepare_experiment(args, experiment, console)
        rates = recall_rates(options.cache)
        print_search_plan(
            prepared,
            search,
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
        # Ray and torch take seconds to import, and a plan needs neither
        from tuning.search.session import run

        return run(prepared, search, resumed, options, console)
    except KeyboardInterrupt:
        if options is not None:
            print(resume_hint(options, name), file=sys.stderr)
        return INTERRUPTED
    except USER_ERRORS as error:
        return report_error("run_search.py", error, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(run_command(main))
