"""A single-file plugin of imputers whose R misbehaves, each in one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from impbench import Context, Imputed, Imputer, Observed, hookimpl
from impbench.external.r import RPackage, open_session, prepare_session


class _InR(Imputer):
    summary = "Runs R"
    input_scale = "lognorm"
    code: ClassVar[str]
    package: ClassVar[RPackage] = RPackage("stats")

    @classmethod
    def unavailable(cls) -> str | None:
        return cls.package.lack()

    def prepare(self, context: Context) -> None:
        prepare_session(context.scratch, self.package)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        with open_session(context.scratch, self.package) as r:
            result = r.call(self.code, {"x": observed.lognorm}, seed=context.seed)
            return Imputed(result.values, "lognorm", info={"versions": dict(r.versions)})


@dataclass(frozen=True)
class RFine(_InR):
    name = "r-fine"
    code = "function(x) { message('hello from R'); warning('mind the gap'); x + 1 }"


@dataclass(frozen=True)
class RStops(_InR):
    name = "r-stops"
    code = "function(x) { message('about to stop'); stop('the matrix displeases me') }"


@dataclass(frozen=True)
class RQuits(_InR):
    name = "r-quits"
    code = "function(x) { message('about to quit'); quit(status = 0) }"


@dataclass(frozen=True)
class RCrashes(_InR):
    name = "r-crashes"
    code = """
    function(x) {
      message('about to crash')
      tools::pskill(Sys.getpid(), 11)
      repeat {}
    }
    """


@dataclass(frozen=True)
class RHangs(_InR):
    name = "r-hangs"
    code = """
    function(x) {
      parallel::mcparallel(repeat {})
      system('sleep 54322 &')
      message('about to hang')
      repeat {}
    }
    """


@dataclass(frozen=True)
class RNaN(_InR):
    name = "r-nan"
    code = "function(x) { x[4, 6] <- NA; x }"


@dataclass(frozen=True)
class RMissing(_InR):
    name = "r-missing"
    package = RPackage("nope", "someone/nope")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return list(_InR.__subclasses__())
