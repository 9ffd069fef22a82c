"""The command line: `campaign demo | traffic | init | train | score | monitor | champion`, thin over the flows.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

import os
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from campaign.errors import CampaignError
from flows.environment import configure_logging, home_folder, make_home, prepare, use_own_prefect, without_heartbeats
from flows.interruption import answer_interrupts, let_it_end, say_when_interrupted
from flows.terminal import keep_logs_back, print_table, stages_shown


def use_home(folder: Path | None) -> Path | None:
    """Everything that is kept is in this folder; said before Prefect is imported, which has to know."""
    if folder is not None:
        os.environ["CAMPAIGN_HOME"] = str(folder)
    prepare()
    return folder


Home = Annotated[
    Path | None,
    typer.Option("--home", callback=use_home, is_eager=True, help="Folder of everything, if not CAMPAIGN_HOME."),
]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=(
    "Predict whether a crowdfunding campaign will succeed, watch how well, and retrain when the world moves."
))  # fmt: skip
champion_app = typer.Typer(help="List versions and champions; roll back; export.", invoke_without_command=True)
app.add_typer(champion_app, name="champion")


def written_day(given: str) -> date:
    from campaign.written_day import read_day

    try:
        return cast(date, read_day(given))
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error


DAY = {"parser": written_day, "metavar": "DAY"}
Day = Annotated[date | None, typer.Option("--day", help="One day: 2026-11-22, today or yesterday.", **DAY)]
From = Annotated[date | None, typer.Option("--from", help="First day of a span.", **DAY)]
To = Annotated[date | None, typer.Option("--to", help="Last day of a span.", **DAY)]


MOST_SEED = 2**32 - 1  # of NumPy's


def be_verbose(verbose: bool) -> bool:
    """Said before Prefect is imported, which has to know."""
    if not verbose:
        keep_logs_back()
    return verbose


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors alone.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=be_verbose, is_eager=True, help="Print all that is logged.")
]


def main() -> None:
    """Run the command line. What a user can mend ends in two sentences and exit code 1, Ctrl-C in exit code 130."""
    answer_interrupts()
    try:
        app()
    except CampaignError as error:
        end_with(error)
    except Exception as error:
        from flows.outages import as_outage

        if outage := as_outage(error):
            end_with(outage)
        raise
    finally:
        let_it_end()


def end_with(error: CampaignError) -> NoReturn:
    from rich.console import Console

    console = Console(stderr=True)
    console.print(f"[bold red]{type(error).__name__}:[/] ", end="")
    console.print(error.cause, markup=False, highlight=False, soft_wrap=True)
    console.print(error.remedy, markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"campaign-success {version('campaign-success')}")
        raise typer.Exit


@app.callback()
def campaign(
    home: Home = None,
    version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Say the version, and end.")
    ] = False,
) -> None:
    """Nothing but the options of all commands."""


@app.command()
def demo(
    home: Home = None,
    rows: Annotated[int, typer.Option(min=1, help="Campaigns to train on to begin with.")] = 40_000,
    day_rows: Annotated[int, typer.Option(min=1, help="Campaigns a day.")] = 5_000,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each search.")] = 12,
) -> None:
    """Play the whole loop on a made-up world: train, score, drift, decay, retrain, do better."""
    say_when_interrupted(lambda: "What is done is kept: run it again to go on.")
    keep_logs_back()
    make_home()
    from flows.demo import play

    configure_logging()
    with without_heartbeats():
        play(rows, day_rows, trials)


@app.command()
def traffic(
    home: Home = None,
    day: Day = None,
    rows: Annotated[int, typer.Option(min=1, help="Campaigns a day.")] = 10_000,
    drift: Annotated[float, typer.Option(help="Factor on goals and amounts.")] = 1.0,
    campaigns: Annotated[bool, typer.Option(help="Drop the day's campaigns.")] = True,
    outcomes: Annotated[bool, typer.Option(help="Drop the day's outcomes.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Drop a day of made-up campaigns, or their outcomes, into the store."""
    make_home()
    from flows import traffic as module

    configure_logging()
    with without_heartbeats(), stages_shown(module.traffic, vars(module), quiet, verbose):
        dropped = module.traffic(day, rows, drift, campaigns, outcomes)
    for uri in dropped:
        typer.echo(uri)


@app.command()
def init(
    file: Annotated[str, typer.Argument(help="Parquet, CSV or JSON lines, or a folder of such files.")],
    outcome: Annotated[str, typer.Option(help="The column that says what became of a row.")] = "",
    success: Annotated[list[str], typer.Option(help="A word of that column that is a success; may be repeated.")] = [],  # noqa: B006
    force: Annotated[bool, typer.Option("--force", help="Write over the campaign.toml that is there.")] = False,
    home: Home = None,
) -> None:
    """Look at a file, and write what its columns seem to be as the home's campaign.toml."""
    make_home()
    from flows.first_look import init as look

    configure_logging()
    look(file, outcome, success, force)


@app.command()
def train(
    data: Annotated[str | None, typer.Argument(help="Parquet or CSV: a path, http(s)://, s3:// or kaggle://.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials that the study shall have.")] = 30,
    feature_set: Annotated[
        str | None, typer.Option(help="launch, running (what is known by then) or all; the schema's own if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the search and the fit.")] = 1,
    schema: Annotated[
        Path | None, typer.Option(help="TOML that says what the rows are; it becomes the home's campaign.toml.")
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search, fit and register a forest; it becomes champion if it earns that."""
    from campaign.schema_file import NAME, feature_set_of, read_schema
    from campaign.settings import Settings

    if feature_set:
        feature_set_of(feature_set)
    if schema:
        read_schema(str(schema))
        os.environ["CAMPAIGN_SCHEMA"] = str(schema.absolute())  # this process serves it from now on, as the home will
    from tasks.progress import last_reported

    say_when_interrupted(lambda: f"{_trials(last_reported('trials'))} kept: run it again to go on.")
    make_home()
    from flows import training as module

    configure_logging()
    with without_heartbeats(), stages_shown(module.training, vars(module), quiet, verbose):
        verdict = module.training(data, trials, cast(Any, feature_set), seed)
    own = Settings().home / NAME
    if schema and schema.absolute() != own.absolute():
        shutil.copyfile(schema, own)
    role = "champion" if verdict.promoted else "challenger"
    typer.echo(f"Version {verdict.version} is {role}: {verdict.reason}.")
    typer.echo(verdict.expectation)
    for note in verdict.notes:
        typer.echo(note)


@app.command()
def score(
    home: Home = None,
    day: Day = None,
    from_day: From = None,
    to_day: To = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score the days whose campaigns are new or changed, or those that are named."""
    if not has_days():
        return
    from flows import batch_scoring as module
    from tasks.scoring.score import days_due

    configure_logging()
    span = day, from_day, to_day
    days: list[Any] = []
    if days_due(*span):  # a server for nothing would take seconds
        with without_heartbeats(), stages_shown(module.batch_scoring, vars(module), quiet, verbose):
            days = module.batch_scoring(*span)
    for scored in days:
        rows, unchanged = scored.rows, " (unchanged)" if scored.reused else ""
        version = f"version {scored.model_version}{unchanged}"
        version += f", in the shadow version {scored.shadow}" if scored.shadow else ""
        version += f", {scored.unread} file{'s' * (scored.unread > 1)} not read" if scored.unread else ""
        typer.echo(f"{scored.day}: {rows.read} rows, {rows.quarantined} quarantined, {version}")
    if not days:
        from flows.status import why_nothing_is_scored

        typer.echo("No day is new or changed.")
        for reason in why_nothing_is_scored():
            typer.echo(reason)
        return
    typer.echo(f"Total successful campaigns: {sum(scored.successful for scored in days)}")
    typer.echo(f"Total unsuccessful campaigns: {sum(scored.unsuccessful for scored in days)}")


@app.command()
def monitor(
    home: Home = None,
    day: Day = None,
    from_day: From = None,
    to_day: To = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Monitor the days whose predictions or outcomes are new or changed, or those that are named."""
    if not has_days():
        return
    from flows import monitoring as module
    from tasks.estimates import ASSUMPTION
    from tasks.monitoring.retraining_call import NOT_NEEDED

    configure_logging()
    wanted = day, from_day, to_day
    if not module.is_anything_due(*wanted):
        typer.echo("No day is new or changed.")
        typer.echo(f"Retraining: {NOT_NEEDED}")
        say_shadow()
        return
    with without_heartbeats(), stages_shown(module.monitoring, vars(module), quiet, verbose):
        monitored = module.monitoring(*wanted)
    for result in monitored.days:
        drift = "-" if result.prediction_drift is None else f"{result.prediction_drift:.3f}"
        columns = ", ".join(result.drifted_columns) or "none"
        span = "" if result.days == 1 else f" (with the {result.days - 1} days before)"
        figures = f"prediction drift {drift}, drifted columns {columns}, {result.quality}"
        typer.echo(f"{result.day}: {result.verdict}{span}, {figures}")
    if any(result.estimated_roc_auc is not None for result in monitored.days):
        typer.echo(f"Estimates hold {ASSUMPTION}.")
    if not monitored.days:
        typer.echo("No day is new or changed.")
    typer.echo(f"Retraining: {monitored.call.status}")
    for reason in monitored.call.reasons:
        typer.echo(f"  {reason}")
    say_shadow()


@app.command()
def replay(
    file: Annotated[str, typer.Argument(help="Campaigns of some years with their outcomes: Parquet, CSV or a folder.")],
    schema: Annotated[
        Path | None, typer.Option(help="TOML that says what the rows are; the home's, if left out.")
    ] = None,
    first: Annotated[
        str, typer.Option("--from", help="First month or day: 2016-01. Left out: when 60 % were launched.")
    ] = "",
    every: Annotated[str, typer.Option(help="How often the flows run: month, week or day.")] = "month",
    retrain: Annotated[
        list[str], typer.Option(help="When to train again: called, never or always; may be repeated.")
    ] = ["called", "never"],  # noqa: B006
    trials: Annotated[int, typer.Option(min=1, help="Trials of each search.")] = 10,
    home: Home = None,
) -> None:
    """Play a history through the loop: would retraining have paid?"""
    from tasks.replay.periods import EVERY

    if every not in EVERY:
        raise typer.BadParameter(f"{every} is none of {', '.join(EVERY)}.", param_hint="--every")
    say_when_interrupted(lambda: "Periods that were finished are kept: run it again to go on.")
    make_home()
    keep_logs_back()
    # The runs of a replay are no runs of the home, and what it calls for starts nothing elsewhere.
    use_own_prefect(home_folder() / "replays")
    from flows.replay.command import play

    configure_logging()
    with without_heartbeats():
        play(file, str(schema or ""), first, cast(Any, every), retrain, trials)


@app.command()
def status(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say how things stand: champion, days, what is passed over and why, and what to do next."""
    from flows.status import read_status, show

    show(read_status(), as_json)


@app.command()
def doctor(home: Home = None) -> None:
    """Look whether all that a run needs is there and answers; exit code 1 if something is not."""
    from flows.doctor import examine, show

    findings = examine()
    show(findings)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


@app.command()
def forget(
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the campaign, as its files have it.")],
    home: Home = None,
) -> None:
    """Remove a campaign's rows from every folder of the store; say which models learnt from it."""
    from campaign.schema_file import home_schema, served_model
    from tasks.forget import forget as forget_in_store
    from tasks.learnt_from import data_sets_elsewhere, forget_gathered, versions_that_learnt
    from tasks.replay.forget import forget_replays

    configure_logging()
    schema, model = home_schema(), served_model()
    forgotten = forget_in_store(campaign_id, schema)
    for path, rows in forgotten.files.items():
        typer.echo(f"{path}: {rows} row{'s' * (rows > 1)} removed")
    if not forgotten.files:
        typer.echo(f"No file of the store holds {campaign_id}.")
    if gathered := forget_gathered(campaign_id):
        typer.echo(f"{gathered} gathered data sets deleted; a training makes them anew")
    for folder in forget_replays(campaign_id):
        typer.echo(f"The courses of {folder} are deleted; `campaign replay` plays them anew")
    for path, cause in forgotten.unread.items():
        typer.echo(f"Not looked into: {path} ({cause})")
    for place in data_sets_elsewhere(model, schema, campaign_id):
        typer.echo(f"It is still in {place}, which is yours to mend.")
    for version in versions_that_learnt(model, campaign_id):
        typer.echo(f"Of {model}, {version}: train again, then delete that version in MLflow.")


@app.command()
def ui(home: Home = None) -> None:
    """Serve MLflow's and Prefect's pages on what was logged, until Ctrl-C."""
    from flows.ui import serve

    make_home()
    serve()


@champion_app.callback(invoke_without_command=True)
def champion(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Registered model, if not the home's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: Home = None,
) -> None:
    """List the versions with their metrics, and who was champion when and why."""
    from campaign.schema_file import served_model

    context.obj = model or served_model()
    if context.invoked_subcommand is None:
        from flows.champions import history_table, versions_in_json, versions_table

        if as_json:
            typer.echo(versions_in_json(context.obj))
            return
        print_table(versions_table(context.obj))
        if context.obj == served_model():
            print_table(history_table())


@champion_app.command("set")
def set_champion(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="The version that shall score from now on.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "set by hand",
    home: Home = None,
) -> None:
    """Make a version champion, for example to roll back."""
    from tasks.model_versions import find_version, load_version, make_champion

    found = find_version(context.obj, version)
    load_version(found)
    make_champion(context.obj, found.number, reason)
    typer.echo(f"Version {found.number} of {context.obj} is champion.")


@champion_app.command()
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    home: Home = None,
) -> None:
    """Write the champion as files that score without MLflow: model.json, the forest, reference.parquet."""
    from flows.champions import export_champion

    typer.echo(f"Version {export_champion(context.obj, folder)} of {context.obj} is in {folder}.")


def say_shadow() -> None:
    """How the challenger does in the shadow, if that is on."""
    from campaign.settings import Settings
    from tasks.shadow_record import read_verdict

    if Settings().shadow:
        typer.echo(f"Shadow: {read_verdict() or 'no day of a challenger has outcomes yet'}")


def has_days() -> bool:
    """Whether days can have come; says so where there is no home, for it is likely that another folder is meant."""
    if not home_folder().exists() and not os.environ.get("CAMPAIGN_STORE"):
        typer.echo(f"There is no home in {home_folder()}: nothing was trained or dropped here (--home names another).")
        return False
    say_when_interrupted(lambda: "Days that were finished are kept: run it again to go on.")
    make_home()
    return True


def _trials(number: int) -> str:
    return "1 trial is" if number == 1 else f"{number or 'No'} trials are"
