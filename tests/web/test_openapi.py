"""The OpenAPI description is complete and true: requests made from it, sensible and not, find no fault."""

from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from kakera.web.app import build
from kakera.web.routes import router
from tests.web.runs import three_runs

HERE = {"host": "127.0.0.1"}
SETTINGS = hypothesis.settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)

# Ids that exist, so that what lies behind them is reached too.
KNOWN = {"model": st.sampled_from(["mae", "classifier", "cnn"]), "picture": st.just("sample-1")}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    runs: list[Path] = three_runs(tmp_path_factory.mktemp("runs"))
    return schemathesis.openapi.from_asgi("/openapi.json", build(runs), headers=HERE)


def operations(api: Any) -> dict[str, Any]:
    found = [result.ok() for result in api.get_all_operations()]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def test_every_route_is_described(api: Any) -> None:
    routes = {f"{method} {route.path}" for route in router.routes for method in route.methods}
    assert routes == set(operations(api))


def check(operation: Any, mode: GenerationMode) -> int:
    """How many requests were made and found no fault."""
    made = 0

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), known=st.fixed_dictionaries(KNOWN))
    def validate(case: Any, known: dict[str, str]) -> None:
        nonlocal made
        for place in (case.query, case.body, case.path_parameters):
            if isinstance(place, dict):
                place.update(
                    {name: value for name, value in known.items() if isinstance(place.get(name), str)}
                )
        # Which layers, classes and files there are is not in the description: to refuse others is right.
        case.call_and_validate(headers=HERE, excluded_checks=[positive_data_acceptance])
        made += 1

    validate()
    return made


def test_sensible_requests_are_answered_as_described(api: Any) -> None:
    for name, operation in operations(api).items():
        assert check(operation, GenerationMode.POSITIVE), name


@pytest.mark.parametrize(
    "name", ["GET /api/attention", "GET /api/similarity", "GET /api/embed", "POST /api/reconstruct"]
)
def test_senseless_requests_are_refused_as_described(api: Any, name: str) -> None:
    assert check(operations(api)[name], GenerationMode.NEGATIVE) >= 10
