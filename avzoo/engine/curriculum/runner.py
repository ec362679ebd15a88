"""The runner of the whole curriculum."""

import copy
import os
from contextlib import nullcontext
from datetime import datetime, timezone
from pathlib import Path

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.config.as_data import plain_config
from avzoo.config.choices import Alternative
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.choose import choose
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.generator_report import report_generator
from avzoo.engine.curriculum.optimizers import drop_optimizers
from avzoo.engine.curriculum.plan import Phase, phase_config, plan_phases, start_file
from avzoo.engine.curriculum.preflight import preflight
from avzoo.engine.curriculum.progress import Progress, warn_of_calibration, warn_of_features
from avzoo.engine.curriculum.recover import checkpoint_to_resume, forget_lost, named_checkpoint
from avzoo.engine.curriculum.references import compare_with_references, keep_predictions
from avzoo.engine.curriculum.results import kept_provenance, provenance_of, results_of
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.engine.curriculum.store_watch import StoreWatch
from avzoo.engine.curriculum.train_phase import run_phase
from avzoo.engine.fusion_cache import FusionCacheHook
from avzoo.engine.log import log_line, open_work_dir
from avzoo.engine.same_everywhere import check_same_everywhere
from avzoo.evaluation.report import interval_line, paired_text, results_rows, results_table, write_results
from avzoo.protocol import TABLE_METRICS
from avzoo.registry import RUNNERS
from avzoo.utils.errors import AvzooError
from avzoo.utils.lock import held_alone


@RUNNERS.register_module()
class CurriculumRunner:
    """Train a method through both stages and test it (AV-DIFF, sec. 3.2 and 4.3).

    Each phase is one ordinary mmengine run with its own work directory. This runner derives their configs, hands
    the weights on, remembers what was decided in ``curriculum.json``, and ends with the table of results. It can be
    stopped anywhere; a finished phase is run again only if its weights are lost.

    Args:
        cfg: Config of the curriculum; ``cfg.work_dir`` is where everything goes.
        resume: Go on with what the work directory holds. Without it, a work directory in use is refused. A path names
            the checkpoint that the phase under way goes back to.
        stage: Run only this stage; by default both.
        draws: Run only these draws of stage 2; by default all.
    """

    def __init__(
        self,
        cfg: Config,
        *,
        resume: bool | str | os.PathLike[str] = False,
        stage: int | None = None,
        draws: tuple[int, ...] | None = None,
    ) -> None:
        self.cfg = plain_config(cfg)
        self.work_dir, self._started = Path(cfg.work_dir), datetime.now(timezone.utc)
        self.draws = tuple(range(cfg.curriculum.num_draws)) if draws is None else tuple(draws)
        self.phases = plan_phases(self.draws, stage)
        self.stage = stage
        self._dropped: set[Path] = set()
        self.resume_from = None if isinstance(resume, bool) else Path(resume)
        self.state = CurriculumState(self.work_dir, deciding_settings(self.cfg), dist.get_world_size())
        self.store = StoreWatch(self.cfg.data_root, self.work_dir, self.cfg.num_shots)
        used = [p.name for p in plan_phases(self.draws) if (self.work_dir / p.name).exists()]
        if (self.state.exists or used) and not resume:
            raise AvzooError(
                f'{self.work_dir} already holds a run. Go on with it by --resume, or choose another --work-dir.'
            )
        if self.state.exists:
            self.state.read()
        elif used:
            raise AvzooError(
                f'{self.work_dir} holds {used[0]} but no {self.state.path.name}, which says how it was '
                'trained. Choose another --work-dir.'
            )

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'CurriculumRunner':
        """Build the runner as mmengine's tools do; ``cfg.resume`` says whether to go on."""
        return cls(cfg, resume=cfg.get('resume', False))

    def train(self) -> dict | None:
        """Run what is not finished yet; returns the results, or ``None`` when only stage 1 was asked for."""
        check_same_everywhere(self.cfg, self.work_dir, self.state.phases)
        self._check_stage_one()
        forget_lost(self.cfg, self.work_dir, self.state, self.phases)
        self._check_store(keep=False)
        if todo := self._todo():
            preflight(self.cfg, todo)
        dist.barrier()  # Nobody writes before all have read; and nothing is written for a run that is refused.
        open_work_dir(self.work_dir)
        busy = f'Another process trains in {self.work_dir}. Wait for its end, or choose another --work-dir.'
        with held_alone(self.work_dir, busy) if dist.is_main_process() else nullcontext():
            return self._train()

    def _todo(self) -> list[Phase]:
        todo = [p for p in self.phases if p.name not in self.state.phases]
        if self.resume_from is not None and not todo:
            raise AvzooError(
                f'--resume {self.resume_from}: every phase of {self.work_dir} is finished. Leave the path '
                'out to see the results.'
            )
        return todo

    def _train(self) -> dict | None:
        todo = self._todo()
        if todo:
            warn_of_features(self.cfg)
        self._keep()  # A kill may have come between the two.
        self.cfg = choose(self.cfg, self.work_dir, self.state, self._try)
        if dist.is_main_process():
            portable = copy.deepcopy(self.cfg)
            portable.pop('launcher', None)  # It belongs to the command line, and a config with it is refused.
            portable.dump(str(self.work_dir / 'config.py'))
        dist.barrier()
        progress = Progress(self.cfg, self.phases, self.state.phases)
        for phase in todo:
            if phase.name not in self.state.phases:
                self._run_phase(phase, progress)
            else:  # A choice has trained it.
                self._check_generator(phase)
        FusionCacheHook.forget()
        results = None
        if self.stage == 1:
            self._report_stage_one()
        else:
            results = self.test()
        if not todo:
            log_line('Every phase was finished already: nothing was trained.')
        return results

    def _try(self, cfg: Config, chosen: list[Alternative]) -> dict[str, dict]:
        """Run stage 1 of a config as if these alternatives were chosen; returns what its phases decided.

        Where the parts are only fitted, the full sub-stage fits them anew, so the base sub-stage is left out.
        """
        phases = [p for p in plan_phases((), 1) if p.substage == 'full' or cfg.curriculum[p.substage].max_epochs]
        outcomes: dict[str, dict] = {}
        progress = Progress(cfg, phases, outcomes, silent=len(phases) == 1)
        for phase in phases:
            run = phase_config(cfg, phase, outcomes, self.work_dir)
            if phase.parent not in phases:
                run.load_from = None
            self._check_store()
            outcomes[phase.name] = run_phase(run, cfg, phase, progress, chosen)
        return outcomes

    def _report_stage_one(self) -> None:
        done = self.state.phases['stage1_full']
        chose = ''
        if done.get('metrics'):
            shown = '  '.join(f'{key} {done["metrics"][key]:.2f}' for key in TABLE_METRICS)
            chose = f' Validation chose epoch {done["best_epoch"]} of {done["epochs"]}: {shown}.'
        log_line(
            f'Stage 1 is finished.{chose} The same command with --resume in place of --stage 1 goes on to the '
            'table of the test set.'
        )

    def test(self) -> dict:
        """Test the finished draws, write ``results.json`` and ``results.md``, and show the table."""
        untested = [draw for draw in self.draws if str(draw) not in self.state.tests]
        for draw in untested:
            self._test_draw(draw)
        results = results_of(self.cfg, self.state, self.draws)
        # A command that only shows the numbers of an earlier one did not compute them.
        kept = None if untested else kept_provenance(self.work_dir)
        results['provenance'] = kept or provenance_of(self.cfg, self.state, self._started)
        self._write(results)  # Before the references, which may take minutes: they cannot cost a run its results.
        store = FeatureStore(self.cfg.data_root)
        results |= compare_with_references(self.work_dir, store, self.cfg, results['draws'])
        results['provenance'] = kept or provenance_of(self.cfg, self.state, self._started)
        self._write(results)
        log_line(
            f'{results["method"]} on {results["dataset"]}, {results["num_shots"]}-shot, per cent\n'
            f'{results_table(results_rows(results))}\n{interval_line(results["aggregate"])}\n'
            f'{paired_text(results["paired"])}'
            f'Written to {self.work_dir / "results.json"} and results.md'
        )
        return results

    def _run_phase(self, phase: Phase, progress: Progress) -> None:
        cfg = phase_config(self.cfg, phase, self.state.phases, self.work_dir)
        checkpoint = self._checkpoint_to_resume(phase)
        if checkpoint is not None:
            cfg.load_from, cfg.resume = str(checkpoint), True
        chosen = [one['chosen'] for one in self.state.choices]
        self._check_store()
        decided = run_phase(cfg, self.cfg, phase, progress, chosen)
        self.state.phases[phase.name] = decided
        self._check_generator(phase)

    def _check_generator(self, phase: Phase) -> None:
        """Report what the generator of a stage-1 phase has learned, and keep it; stage 2 is checked with the test."""
        warn_of_calibration(self.cfg, phase, self.state.phases[phase.name])
        if phase.stage == 1:
            self.state.phases[phase.name].update(report_generator(self.cfg, phase, self.state.phases, self.work_dir))
        self._keep()

    def _keep(self) -> None:
        """Write what is finished, and drop what is of no more use."""
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
        """Refuse a store that changed since the run was begun."""
        self.state.store_sha256 = self.store.check(self.state.store_sha256, keep=keep)
        dist.barrier()

    def _check_stage_one(self) -> None:
        missing = [p.name for p in plan_phases((), 1) if p.name not in self.state.phases]
        if self.stage == 2 and missing:
            raise AvzooError(
                f'Stage 2 takes its epochs and its calibration from stage 1, but {self.work_dir} has no '
                f'finished {missing[0]}. Run without --stage, or with --stage 1 first.'
            )
