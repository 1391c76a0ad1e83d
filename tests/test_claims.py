"""The ledger has a section for every claim, with its verdict, or says that it was not run."""

import claims
from written_runs import written_arms

from gan.ablations.manifest import read_manifest
from gan.runs.config import shipped_manifests


def test_a_claim_has_its_verdict_or_was_not_run(tmp_path):
    manifests = [read_manifest(path) for path in shipped_manifests().values()]
    priors = next(manifest for manifest in manifests if manifest.name == "priors")
    (tmp_path / "priors").mkdir()
    priors.write(tmp_path / "priors")
    scores = {"normal": [5.0, 5.5, 6.0, 5.2, 5.1], "uniform": [50.0, 56.0, 61.0, 53.0, 50.0], "dim_10": [5.1, 5.4]}
    written_arms(tmp_path / "priors", {name: {} for name in scores}, scores, picture=None)
    page = claims.ledger(manifests, tmp_path)
    with_claims = [manifest for manifest in manifests if manifest.claim]
    assert page.count("\n## ") == len(with_claims) + len(claims.ELSEWHERE)
    assert {*(manifest.claim for manifest in with_claims), *claims.ELSEWHERE} == {f"C{n}" for n in range(1, 29)}
    assert page.index("\n## C6") < page.index("\n## C7\n") < page.index("\n## C8")
    assert page.count("\nnot run\n") == len(with_claims) - 1
    section = page.split(f"## {priors.claim}, priors: ")[1].split("\n## ")[0]
    rows = {line.split(" | ")[0][2:]: line for line in section.splitlines() if line.startswith("| ")}
    assert "higher: supported" in rows["uniform"]
    assert "2 of 5 (3 not started)" in rows["dim_10"]
    assert "higher: not run" in rows["uniform_of_unit_variance"]
    assert "Budget: 20,000 generator updates, seeds 1, 2, 3, 4, 5. Protocol: " in section
