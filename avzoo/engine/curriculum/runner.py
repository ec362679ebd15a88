"""The runner of the whole curriculum."""

import copy
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.config.as_data import plain_config
from avzoo.config.choices import Alternative, describe
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.choose import choose
from avzoo.engine.curriculum.draws import Together, train_draws
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.generator_report import report_generator
from avzoo.engine.curriculum.optimizers import drop_optimizers
from avzoo.engine.curriculum.plan import Phase, phase_config, plan_phases, start_file
from avzoo.engine.curriculum.preflight import preflight
from avzoo.engine.curriculum.progress import Place, Progress, report_stage_one, warn_of_calibration, warn_of_features
from avzoo.engine.curriculum.recover import checkpoint_to_resume, forget_lost, named_checkpoint
from avzoo.engine.curriculum.references import compare_with_references, keep_predictions
from avzoo.engine.curriculum.results import kept_provenance, provenance_of, results_of, results_text
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.engine.curriculum.store_watch import StoreWatch
from avzoo.engine.curriculum.train_phase import run_phase
from avzoo.engine.fusion_cache import FusionCacheHook
from avzoo.engine.log import held_work_dir, log_line
from avzoo.engine.memory import free_memory
from avzoo.engine.same_everywhere import check_same_everywhere
from avzoo.evaluation.report import write_results
from avzoo.registry import RUNNERS
from avzoo.utils.errors import AvzooError


@RUNNERS.register_module()
class CurriculumRunner:
    """Train a method through both stages and test it (AV-DIFF, sec. 3.2 and 4.3).

    Each phase is one ordinary mmengine run with its own work directory. This runner derives their configs, passes the
    weights on, records what was decided in ``curriculum.json``, and ends with the table of results. It can be stopped
    at any time; a finished phase is run again only if its weights are lost.

    Args:
        cfg: Config of the curriculum; everything is written to ``cfg.work_dir``.
        resume: Continue the run in the work directory. Without it, a work directory in use is refused. A path names
            the checkpoint that the current phase goes back to.
        stage: Run only this stage; by default both.
        draws: Run only these draws of stage 2; by default all.
        jobs: Number of draws trained side by side, each in its own process; needs a run of one process.
        gpus: GPUs for these processes, see :func:`run_side_by_side`; by default those that this process sees.
    """

    def __init__(
        self,
        cfg: Config,
        *,
        resume: bool | str | os.PathLike[str] = False,
        stage: int | None = None,
        draws: tuple[int, ...] | None = None,
        jobs: int = 1,
        gpus: Sequence[str] = (),
    ) -> None:
        self.together = Together(jobs, gpus)
        self.cfg = plain_config(cfg)
        self.work_dir, self._started = Path(cfg.work_dir), datetime.now(timezone.utc)
        self.draws = tuple(range(cfg.curriculum.num_draws)) if draws is None else tuple(draws)
        self.phases = plan_phases(self.draws, stage)
        self.stage = stage
        self._dropped, self._pace = set[Path](), dict[str, float]()
        self.resume_from = None if isinstance(resume, bool) else Path(resume)
        if self.resume_from is not None and not self.resume_from.is_file():
            raise AvzooError(f'--resume {self.resume_from}: there is no such file. Omit the path to continue.')
        self.state = CurriculumState(self.work_dir, deciding_settings(self.cfg), dist.get_world_size())
        self.store = StoreWatch(self.cfg.data_root, self.work_dir, self.cfg.num_shots)
        used = [p.name for p in plan_phases(self.draws) if (self.work_dir / p.name).exists()]
        if (self.state.exists or used) and not resume:
            raise AvzooError(
                f'{self.work_dir} already holds a run. Continue it with --resume, or choose another --work-dir.'
            )
        if self.state.exists:
            self.state.read()
        elif used:
            raise AvzooError(
                f'{self.work_dir} holds {used[0]} but no {self.state.path.name}, which records how it was '
                'trained. Choose another --work-dir.'
            )

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'CurriculumRunner':
        """Build the runner as mmengine's tools do; ``cfg.resume`` says whether to continue a run."""
        return cls(cfg, resume=cfg.get('resume', False))

    def train(self) -> dict | None:
        """Run what is not finished yet; return the results, or ``None`` if only stage 1 was requested."""
        check_same_everywhere(self.cfg, self.work_dir, self.state.phases)
        if self.stage == 2:
            self.state.check_stage_one()
        forget_lost(self.cfg, self.work_dir, self.state, self.phases)
        self._check_store(keep=False)
        if todo := self._todo():
            preflight(self.cfg, todo)
        dist.barrier()  # No process writes before all have read, and nothing is written for a run that is refused.
        with held_work_dir(self.work_dir):
            try:
                return self._train()
            finally:
                free_memory()  # For other work in this process, such as a notebook.

    def _todo(self) -> list[Phase]:
        todo = [p for p in self.phases if p.name not in self.state.phases]
        if self.resume_from is not None and not todo:
            raise AvzooError(
                f'--resume {self.resume_from}: every phase of {self.work_dir} is finished. Omit the path '
                'to see the results.'
            )
        return todo

    def _train(self) -> dict | None:
        todo = self._todo()
        if todo:
            warn_of_features(self.cfg)
        self._keep()  # An earlier process may have been killed between the two.
        self.cfg = choose(self.cfg, self.work_dir, self.state, self._try, self.phases, self.together.jobs)
        if dist.is_main_process():
            portable = copy.deepcopy(self.cfg)
            portable.pop('launcher', None)  # It belongs to the command line, and a config with it is refused.
            portable.dump(str(self.work_dir / 'config.py'))
        dist.barrier()
        self._run_phases(todo)
        results = None
        if self.stage == 1:
            report_stage_one(self.state.phases['stage1_full'])
        else:
            results = self.test()
        if not todo:
            log_line('Every phase was already finished: nothing was trained.')
        return results

    def _try(self, cfg: Config, chosen: list[Alternative], place: Place) -> dict[str, dict]:
        """Run stage 1 of a config as if these alternatives were chosen; return what its phases decided.

        If parts are only fitted, the full sub-stage fits them from scratch, so the base sub-stage is left out.
        """
        phases = [p for p in plan_phases((), 1) if p.substage == 'full' or cfg.curriculum[p.substage].max_epochs]
        outcomes: dict[str, dict] = {}
        progress = Progress(cfg, phases, outcomes, silent=len(phases) == 1, place=place, pace=self._pace)
        if len(phases) > 1:
            log_line(f'{place.name}: {describe(chosen[-1])}')
        for phase in phases:
            run = phase_config(cfg, phase, outcomes, self.work_dir)
            if phase.parent not in phases:
                run.load_from = None
            self._check_store()
            outcomes[phase.name] = run_phase(run, cfg, phase, progress, chosen)
        return outcomes

    def test(self) -> dict:
        """Test the finished draws, write ``results.json`` and ``results.md``, and print the table."""
        untested = [draw for draw in self.draws if str(draw) not in self.state.tests]
        for draw in untested:
            self._test_draw(draw)
        results = results_of(self.cfg, self.state, self.draws)
        # A command that only shows earlier numbers did not compute them.
        kept = None if untested else kept_provenance(self.work_dir)
        results['provenance'] = kept or provenance_of(self.cfg, self.state, self._started)
        self._write(results)  # Before the references, which may take minutes: they must not cost a run its results.
        store = FeatureStore(self.cfg.data_root)
        results |= compare_with_references(self.work_dir, store, self.cfg, results['draws'])
        results['provenance'] = kept or provenance_of(self.cfg, self.state, self._started)
        self._write(results)
        log_line(results_text(results, self.work_dir))
        return results

    def _run_phases(self, todo: list[Phase]) -> None:
        """Run phases one after the other, or the draws among them side by side."""
        draws = self.together.among(todo)
        progress = Progress(self.cfg, self.phases, self.state.phases, jobs=self.together.jobs, pace=self._pace)
        for phase in todo:
            if phase.name in self.state.phases:  # A choice has trained it.
                self._conclude(phase)
            elif phase not in draws:
                self._run_phase(phase, progress)
        FusionCacheHook.forget()
        if draws:
            runs = {phase: self._run_config(phase) for phase in draws}
            train_draws(runs, self.cfg, self.phases, self.state, self._finish, self.together)

    def _run_phase(self, phase: Phase, progress: Progress) -> None:
        run = self._run_config(phase)
        self._check_store()
        chosen = [one['chosen'] for one in self.state.choices]
        self._finish(phase, run_phase(run, self.cfg, phase, progress, chosen))

    def _run_config(self, phase: Phase) -> Config:
        """Return the config of a phase, which resumes from its newest checkpoint."""
        run = phase_config(self.cfg, phase, self.state.phases, self.work_dir)
        checkpoint = self._checkpoint_to_resume(phase)
        if checkpoint is not None:
            run.load_from, run.resume = str(checkpoint), True
        return run

    def _finish(self, phase: Phase, decided: dict) -> None:
        self.state.phases[phase.name] = decided
        self._conclude(phase)

    def _conclude(self, phase: Phase) -> None:
        """Keep what a phase decided, in stage 1 also the check of its generator; in stage 2 the test has it."""
        decided = self.state.phases[phase.name]
        if phase == Phase(1, 'full') and 'AUSUC' in decided.get('metrics', {}):
            warn_of_calibration(self.cfg, decided['metrics'])
        if phase.stage == 1:
            decided.update(report_generator(self.cfg, phase, self.state.phases, self.work_dir))
        self._keep()

    def _keep(self) -> None:
        """Write what is finished, and drop what is no longer needed."""
        if dist.is_main_process():
            self.state.write()
            drop_optimizers(self.cfg, self.work_dir, self.state, self._dropped)
        dist.barrier()

    def _checkpoint_to_resume(self, phase: Phase) -> Path | None:
        if self.resume_from is not None:
            path, self.resume_from = self.resume_from, None
            return named_checkpoint(path, phase, self.cfg.randomness.seed, self.store.feature_set)
        return checkpoint_to_resume(self.work_dir / phase.name, self.cfg.curriculum[phase.substage].monitor)

    def _test_draw(self, draw: int) -> None:
        self._check_store()
        phase = Phase(2, 'full', draw)
        path = self.work_dir / phase.name / start_file(self.cfg, phase)
        found = evaluate_checkpoint(self.cfg, path, split='test', draw=draw, work_dir=path.parent, check_config=False)
        check = report_generator(self.cfg, phase, self.state.phases, self.work_dir)
        self.state.tests[str(draw)] = dict(found.metrics, per_class_recall=found.per_class_recall, **check)
        if dist.is_main_process():
            keep_predictions(self.work_dir, draw, found.predictions)
        self._keep()

    def _write(self, results: dict) -> None:
        if dist.is_main_process():
            write_results(self.work_dir, results)

    def _check_store(self, *, keep: bool = True) -> None:
        """Refuse a store that has changed since the run was started."""
        self.state.store_sha256 = self.store.check(self.state.store_sha256, keep=keep)
        dist.barrier()
