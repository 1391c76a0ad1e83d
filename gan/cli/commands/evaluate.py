"""`gan evaluate` measures a generator."""

from typing import Any

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.cli.flags import Parser, add_source
from gan.runs.directory import write_text
from gan.runs.evaluate import PLACE, evaluate


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    parser = Parser(prog="gan evaluate", description="Measure a trained generator on test images.")
    add_source(parser)
    parser.add_argument("--num", type=int, default=10000, help="fakes (default 10000)")
    parser.add_argument("--data.root", dest="root", help="where the run's images are now (default: where they were)")
    parser.add_argument("--data.source", dest="source", help="another one, see gan data --help (default: the run's)")
    parser.add_argument("--json", help="write the row, with its protocol, to this file")
    options = vars(parser.parse_args(words))
    file, place = options.pop("json"), {key: options.pop(key) for key in PLACE}
    file = None if file is None else absolute(file, "--json")
    if file and not file.parent.is_dir():
        raise UserError(f"--json {file}: cannot write (there is no directory {file.parent}); make it first")
    row = evaluate(**options, data={key: value for key, value in place.items() if value is not None})
    if file:
        from gan.measure.measurement import to_json

        write_text(file, to_json(row, indent=1) + "\n")
    _print(row)
    return 0


def _print(row: dict[str, Any]) -> None:
    from gan.measure.scorer import UNSURE

    real = f"{row['num_real']} {row['data_set']} test images, {row['source']}"
    images = f"{row['num_fake']} fakes of {row['weights']} weights, {real}"
    print(f"FID                {row['fid']:.3f} ({images})")
    print(f"floor              {row['fid_floor']:.3f} (real training images in place of the fakes; no lower bound)")
    print(f"median confidence  {row['median_confidence']:.4f} ({row['unsure_share']:.1%} below {UNSURE})")
    shares = zip(row["class_names"], row["class_share"], strict=True)
    print(f"class shares       {'  '.join(f'{name}: {share:.1%}' for name, share in shares)}")
    if row["label_agreement"] is not None:
        print(f"label agreement    {row['label_agreement']:.1%} of the fakes are what their label says")
    print(f"protocol           {row['protocol']} ({row['extractor']} v{row['extractor_version']})")
