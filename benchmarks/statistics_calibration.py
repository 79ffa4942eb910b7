"""How often the studies' verdicts, intervals and claims of equivalence are right, by simulation.

Run: ``python benchmarks/statistics_calibration.py [--studies 4000] [--only FAMILY …]``; it prints the tables
of docs/statistics.md. ``--scores FILE.npz`` judges matrices instead that you have drawn: an array ``Y``
[study, arm, seed, image] with arm 0 the baseline (and, if images come in groups, ``groups`` [image]); it
prints the share of studies in which any arm is called better or worse.

No arm differs from another in truth unless a column says so. The columns:

- family-wise: studies in which any arm is called better or worse; aim .08 with 3 seeds, .06 with more
- × alpha / K: how often one arm alone has p below .05 / arms, over .05 / arms
- held: studies in which all simultaneous intervals hold the truth, of equal arms; aim .93
- held, half: the same where every second arm differs by three standard errors
- false =: arms called equivalent that differ by exactly the margin; aim .06
- all =: studies said to be equivalent in all arms (Holm) though one differs by the margin; aim .06
- true =: equal arms called equivalent, where the margin is 4 standard deviations of the difference

Exits with 1 where an aim is missed by more than two standard errors of the simulation.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from calibration_judging import (
    CHUNK,
    Bools,
    agrees_with_the_package,
    draw_chunks,
    follow_studies,
    judge_cell,
    judge_scores,
)
from calibration_studies import SPREADS, RatioStudy, Study
from calibration_tables import COLUMNS, Tables, rates

from unetseg.studies.analysis.statistics import LEAST_SEEDS, Floats

LOOKS = (3, 4, 5, 7, 10)


def family_tables(tables: Tables) -> None:
    """Spreads of seeds, numbers of arms and seeds."""
    for spread in SPREADS:
        tables.head(f"Seeds: {spread}", "arms", "seeds", *COLUMNS)
        for arms in (1, 4, 9, 15):
            tables.row(arms, 2, "no verdict", *("–",) * (len(COLUMNS) - 1))
            for seeds in (3, 5, 10):
                judged = judge_cell(
                    Study(spread=spread, arms=arms, seeds=seeds), tables.studies, seed=arms + seeds
                )
                most = 0.09 if spread.endswith("-.5") else None
                tables.row(arms, seeds, *rates(tables, judged, seeds, most))


def image_tables(tables: Tables) -> None:
    """Small test sets, images that matter more, groups, folds, ratios."""
    tables.head("Images: how many, how different, in folds", "images", "seeds", *COLUMNS)
    cells = {
        "5 images": Study(images=5),
        "10 images": Study(images=10),
        "20 images": Study(images=20),
        "300 images": Study(images=300, arms=4),
        "60, arms differ most by image": Study(image=0.03, rest=0.02),
        "60, seeds hardly differ": Study(seed=0.001),
        "60, each seed five folds": Study(folds=True),
    }
    for name, study in cells.items():
        for seeds in (3, 5):
            judged = judge_cell(replace(study, seeds=seeds), tables.studies, seed=seeds)
            tables.row(name, seeds, *rates(tables, judged, seeds))

    tables.head(
        "Groups of images, of uneven size", "images in groups", "seeds", "family-wise, as if none", *COLUMNS
    )
    for groups, images in ((10, 60), (12, 120), (30, 120)):
        for seeds in (3, 5):
            study = Study(groups=groups, images=images, seeds=seeds, arms=4)
            ignoring = np.concatenate(
                [
                    judge_scores(chunk).different().any(axis=1)
                    for chunk in draw_chunks(study, tables.studies, groups)
                ]
            )
            judged = judge_cell(study, tables.studies, seed=groups)
            told = tables.rate(ignoring)
            tables.row(f"{images} in {groups}", seeds, told, *rates(tables, judged, seeds))

    tables.head("Ratios of sums", "images that hold any", "sizes", "seeds", *COLUMNS)
    for holding in (2, 3, 5):
        tables.row(f"{holding} of 60", "any", "any", "no interval", *("–",) * (len(COLUMNS) - 1))
    for holding, images, sigma in ((10, 60, 1.2), (10, 10, 2), (20, 20, 2), (30, 30, 2), (60, 60, 1.2)):
        for seeds in (3, 5):
            ratio = RatioStudy(holding=holding, images=images, sigma=sigma, seeds=seeds)
            judged = judge_cell(ratio, tables.studies, seed=holding)
            tables.row(f"{holding} of {images}", f"lognormal {sigma}", seeds, *rates(tables, judged, seeds))


def failure_tables(tables: Tables) -> None:
    """Runs that collapse, and images that fail: what must not be said in their sight."""
    columns = ("said equivalent", "… with a failure in sight", "family-wise")
    tables.head("Runs that collapse by .3, margin .01, 4 arms", "rate", "seeds", *columns)
    quiet = Study(seed=0.002, image=0.005, rest=0.01, arms=4)
    for rate in (0.05, 0.1, 0.33):
        for seeds in (3, 5, 10):
            study = replace(quiet, collapse=rate, seeds=seeds)
            tables.row(rate, seeds, *failures(tables, study, either_collapses))

    tables.head("2 % of an arm's images fail by .8, margin .01, 4 arms", "images", "seeds", *columns)
    for images in (20, 60, 300):
        for seeds in (3, 5, 10):
            study = replace(quiet, failing=0.02, seeds=seeds, images=images)
            tables.row(images, seeds, *failures(tables, study, only_one_fails))


def concatenated(arms: Iterable[Bools]) -> Bools:
    """Return in which studies, drawn in chunks, any arm is marked."""
    return np.concatenate([each.any(axis=1) for each in arms])


def either_collapses(scores: Floats) -> Bools:
    """Return for each arm whether one of its runs or of the baseline's collapsed."""
    collapsed = (scores.mean(axis=-1) < -0.15).any(axis=-1)
    return collapsed[:, 1:] | collapsed[:, :1]


def only_one_fails(scores: Floats) -> Bools:
    """Return for each arm whether an image fails in it and not in the baseline, or the other way round."""
    failed = scores.mean(axis=-2) < -0.4
    return (failed[:, 1:] ^ failed[:, :1]).any(axis=-1)


def failures(tables: Tables, study: Study, failed: Callable[[Floats], Bools]) -> list[str]:
    """Return how often arms are called equivalent, and how often with a failed run or image in sight."""
    said, seen, wrong = [], [], []
    for chunk in draw_chunks(study, tables.studies, seed=study.seeds):
        judged = judge_scores(chunk)
        said.append(judged.equivalent(0.01))
        seen.append(said[-1] & failed(chunk))
        wrong.append(judged.different().any(axis=1) & (study.seeds >= LEAST_SEEDS))
    found = [np.concatenate(each) for each in (said, seen, wrong)]
    return [tables.rate(found[0]), tables.rate(found[1], 0.0), tables.rate(found[2])]


def look_tables(tables: Tables) -> None:
    """Sequential studies: false calls over all looks, and how soon true differences are found."""
    agree = agrees_with_the_package(LOOKS, 0.03)
    print(
        f"\nFollowing many studies at once agrees with the package on 30 of them: {'yes' if agree else 'NO'}."
    )
    tables.missed += not agree

    tables.head(
        "Looks after 3, 4, 5, 7 and 10 seeds: any arm called better or worse",
        "seeds",
        "4 arms",
        "9 arms",
        "15 arms",
    )
    for spread in SPREADS:
        cells = []
        for arms in (4, 9, 15):
            study = Study(spread=spread, arms=arms, seeds=LOOKS[-1])
            chunks = draw_chunks(study, tables.studies, arms)
            found = concatenated(follow_studies(chunk, LOOKS).different for chunk in chunks)
            cells.append(tables.rate(found, 0.09 if spread.endswith("-.5") else 0.06))
        tables.row(spread, *cells)

    tables.head("Other lists of looks, 9 arms", "looks", "equal", "unequal")
    for looks in ((3, 10), (3, 4, 5, 6, 8), (3, 4, 5, 6, 7, 8, 9, 10), (5, 7, 10)):
        cells = []
        for spread in ("equal", "unequal"):
            study = Study(spread=spread, seeds=looks[-1])
            chunks = draw_chunks(study, tables.studies, 1)
            found = concatenated(follow_studies(chunk, looks).different for chunk in chunks)
            cells.append(tables.rate(found, 0.06))
        tables.row(", ".join(map(str, looks)), *cells)

    columns = ("arms that differ", "difference", "seeds until found", "found by ten seeds")
    tables.head("How soon a true difference is found, 9 arms, looks after 3, 4, 5, 7 and 10 seeds", *columns)
    for differing in (1, 5, 9):
        for size in (0.04, 0.02):
            shift = size * (np.arange(9) < differing)
            followed = [
                follow_studies(chunk, LOOKS, shift=shift)
                for chunk in draw_chunks(Study(seeds=LOOKS[-1]), tables.studies, 2)
            ]
            seeds = np.concatenate([each.seeds[:, :differing] for each in followed])
            found = np.concatenate([each.different[:, :differing] for each in followed])
            tables.row(differing, size, f"{seeds.mean():.1f}", f"{found.mean():.2f}")

    columns = (
        "looks",
        "arms",
        "false = at the margin",
        "false = in any arm of a study",
        "equal arms said so",
    )
    tables.head("Equivalence over looks, margin .03", *columns)
    for looks in (LOOKS, (5, 7, 10)):
        for arms in (1, 9):
            study = Study(arms=arms, seeds=looks[-1], seed=0.005)
            at_margin, equal = [], []
            for chunk in draw_chunks(study, tables.studies, 3):
                at_margin.append(follow_studies(chunk, looks, 0.03, 0.03).equivalent)
                equal.append(follow_studies(chunk, looks, 0.03).equivalent)
            false = np.concatenate(at_margin)
            told = ", ".join(map(str, looks))
            tables.row(
                told,
                arms,
                tables.rate(false[:, 0], 0.06),
                tables.rate(false.any(axis=1)),
                tables.rate(np.concatenate(equal)),
            )


def judge_file(path: Path) -> None:
    """Print the share of given studies in which any arm is called better or worse."""
    with np.load(path) as file:
        scores = np.asarray(file["Y"], dtype=np.float64)
        groups = np.unique(file["groups"], return_inverse=True)[1] if "groups" in file else None
    if scores.ndim != 4 or scores.shape[1] < 2:
        sys.exit(
            f"{path}: Y must be [study, arm, seed, image] with two arms or more, not of shape {scores.shape}"
        )
    if scores.shape[2] < LEAST_SEEDS:
        print(f"{scores.shape[2]} seeds: no verdict, for these nets only")
    chunks = (scores[start : start + CHUNK] for start in range(0, len(scores), CHUNK))
    called = concatenated(judge_scores(chunk, groups).different() for chunk in chunks)
    print(f"family-wise {called.mean() * (scores.shape[2] >= LEAST_SEEDS):.4f}")


FAMILIES: dict[str, Callable[[Tables], None]] = {
    "family": family_tables,
    "images": image_tables,
    "failures": failure_tables,
    "looks": look_tables,
}


def main() -> int:
    """Print the tables and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=4000, help="simulated studies a cell")
    parser.add_argument(
        "--only", nargs="*", choices=FAMILIES, default=list(FAMILIES), help="some of the tables"
    )
    parser.add_argument("--scores", type=Path, metavar="FILE.npz", help="judge these studies instead")
    arguments = parser.parse_args()
    if arguments.scores:
        judge_file(arguments.scores)
        return 0
    tables = Tables(arguments.studies)
    error = np.sqrt(0.05 * 0.95 / arguments.studies)
    print(f"{arguments.studies} studies a cell: a rate of .05 has the standard error {error:.4f}.")
    for name in arguments.only:
        FAMILIES[name](tables)
    print(f"\n{tables.missed} of {tables.cells} aims missed." if tables.missed else "\nAll aims are met.")
    return 1 if tables.missed else 0


if __name__ == "__main__":
    sys.exit(main())
