"""Search for the best classifier: python tuning/run_search.py [experiments/FILE.yaml]."""

import sys

from measures.addresses import store_rows
from measures.command_line import run_command
from tuning.cli import (
    USER_ERRORS,
    add_search_options,
    build_parser,
    launch_options,
    read_experiment,
    report_error,
    require_search,
)
from tuning.data.prepared import prepare
from tuning.data.sources import read_locations
from tuning.execution.plan import require_space, states_rows
from tuning.execution.ray_session import check_address, set_ray_defaults
from tuning.search.plan import print_search_plan
from tuning.system.console import make_console, print_details
from tuning.system.machine import recall_rates
from tuning.system.signals import INTERRUPTED
from tuning.tracking.resume import choose_launch, leave_interrupted, resume_hint


def main() -> int:
    """Return the exit code: 0 if there is a champion and no trial failed, 1 otherwise.

    2 is that of a search that cannot run, 130 that of an interrupted one.
    """
    parser = build_parser("Search with Optuna, confirm the best, test it once.", "bonus_f1.yaml")
    args = add_search_options(parser).parse_args()
    console, name, options = make_console(), args.config.stem, None
    try:
        options = launch_options(args)
        experiment = read_experiment(args)
        name = experiment.name
        search = require_search(experiment, args.config)
        # first, since the rest takes seconds; a plan alone needs no choice
        named = options.resume or options.launch
        resumed = choose_launch(options, name) if named or not args.dry_run else None
        prepared = prepare(experiment, read_locations(), strict=args.strict, console=console)
        rates = recall_rates(options.cache)
        log = states_rows(prepared, rates, options.output) | store_rows(options.tracking_uri)
        print_search_plan(prepared, search, console, rates, log)
        require_space(prepared, rates, options.output)
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
