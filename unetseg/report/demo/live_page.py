"""The demo's page, in Gradio: served on this machine only, and asking nobody for anything."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.data.images.write import write_labels
from unetseg.errors import UnetsegError
from unetseg.metrics.registry import METRICS
from unetseg.probes.lesion.modes import MODES
from unetseg.report.demo.skip_bench import (
    CHANGES,
    SCORES,
    SkipBench,
    Subject,
    draw_change,
    draw_mask,
    draw_probability,
)

LONGEST_SHOWN = 1600  # pixels; larger pictures are reduced by a whole factor to look at
_CSS = """
.swatch { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 .8em; border: 1px solid #888;
  vertical-align: -.1em }
footer { display: none !important }
@media (max-width: 700px) {
  .look { display: contents !important }
  .look > * { width: 100% }
  .wipe { order: -1; position: sticky !important; top: 0; z-index: 20; max-height: 45vh }
}
"""


@contextmanager
def serve(benches: Sequence[SkipBench], port: int | None) -> Iterator[str]:
    """Serve the page on 127.0.0.1 while the block runs, and yield its address.

    What is uploaded, and what the page shows, lies in a temporary folder that is deleted at the end.

    Args:
        benches: one run, or two that are alike.
        port: to listen at; the first free one from 7860 on if None.

    Raises:
        UnetsegError: if the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="unetseg-demo-") as folder:
        gradio = _import_gradio(folder)
        page = LivePage(gradio, benches, Path(folder)).build()
        try:
            _, address, _ = page.launch(
                server_name="127.0.0.1",
                server_port=port,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                ssr_mode=False,
                footer_links=[],
                theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
                css=_CSS,
            )
        except OSError as error:
            raise UnetsegError(
                f"--port {port or 7860}: cannot be listened at; give another with --port"
            ) from error
        try:
            yield address
        finally:
            page.close(verbose=False)


def _import_gradio(folder: str) -> Any:
    """Import Gradio such that it asks nobody for anything, and keeps its files in ``folder``."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = folder
    import gradio

    return gradio


class LivePage:
    """The page of one run, or of two under a wipe.

    Args:
        gradio: the package.
        benches: one run, or two; the skips of the first are turned down.
        folder: for the masks to download.
    """

    def __init__(self, gradio: Any, benches: Sequence[SkipBench], folder: Path) -> None:
        self._gradio = gradio
        self._bench, self._folder = benches[0], folder
        self._other = benches[1] if len(benches) > 1 else None

    def build(self) -> Any:
        """Lay the page out and connect it."""
        gr, bench = self._gradio, self._bench
        samples = [*bench.samples]
        with gr.Blocks(title="unetseg demo", analytics_enabled=False, delete_cache=(60, 600)) as page:
            subject = gr.State(None)
            gr.Markdown(f"# What each long skip of {_plain(bench.name)} does to an image")
            with gr.Row():
                with gr.Column(scale=1, min_width=280):
                    chosen = gr.Dropdown(samples, value=None, label="Image of the test split")
                    upload = gr.File(label="Or an image of your own", height=150)
                    truth = gr.File(label="Its reference mask, if there is one", height=150)
                    sliders = [
                        gr.Slider(0, 1, 1, step=0.05, label=f"Skip of level {level} (stride {2**level})")
                        for level in bench.levels
                    ]
                    mode = gr.Radio(
                        [(MODES[name].sentence, name) for name in bench.modes],
                        value=bench.modes[0],
                        label="What stands in for the rest",
                        visible=bool(bench.levels),
                    )
                    one_class = len(bench.classes) == 2
                    threshold = gr.Slider(0.05, 0.95, 0.5, step=0.05, label="Threshold", visible=one_class)
                    opacity = gr.Slider(0, 1, 0.5, step=0.05, label="Opacity of the mask")
                with gr.Column(scale=2, min_width=280, elem_classes="look"):
                    wipe = gr.ImageSlider(
                        label=f"{self._left} | {bench.name}, skips as set",
                        format="jpeg",
                        interactive=False,
                        elem_classes="wipe",
                        buttons=["download", "fullscreen"],
                    )
                    gr.HTML(self._legend(bench.classes[1:], bench.colours[1:]))
                    scores = gr.Markdown()
                    with gr.Row():
                        change, probability = (
                            gr.Image(
                                label=label,
                                format="png",
                                interactive=False,
                                buttons=["download", "fullscreen"],  # not "share", which asks a server
                            )
                            for label in ("What changed", "Probability of foreground")
                        )
                    gr.HTML(self._legend([name for name, _ in CHANGES], [colour for _, colour in CHANGES]))
                    download = gr.DownloadButton("Download the mask (PNG)", interactive=False)
            settings = [subject, threshold, opacity, mode, *sliders]
            shown = [wipe, scores, change, probability, download]
            alone = {"concurrency_limit": 1, "concurrency_id": "net"}
            chosen.input(self._choose, chosen, [subject, upload, truth], **alone).then(
                self._draw, settings, shown, **alone
            )
            given = gr.on(
                [upload.change, truth.change], self._upload, [upload, truth, subject], subject, **alone
            )
            given.then(self._draw, settings, shown, **alone)
            moved = [slider.change for slider in (*sliders, threshold, opacity)]
            gr.on(
                [*moved, mode.change],
                self._draw,
                settings,
                shown,
                trigger_mode="always_last",
                show_progress="hidden",
                **alone,
            )
            if samples:
                chosen.value = samples[0]
                page.load(self._choose, chosen, [subject, upload, truth], **alone).then(
                    self._draw, settings, shown, **alone
                )
        return page

    @property
    def _left(self) -> str:
        """What lies on the left of the wipe."""
        return self._other.name if self._other else "all skips whole"

    def _choose(self, name: str | None) -> tuple[Subject | None, None, None]:
        return (self._told(lambda: self._bench.open_sample(name)) if name else None), None, None

    def _upload(self, image: str | None, truth: str | None, before: Subject | None) -> Subject | None:
        if image is None:
            return before
        reference = None if truth is None else Path(truth)
        return self._told(lambda: self._bench.open_file(Path(image), reference))

    def _told(self, read: Callable[[], Subject]) -> Subject:
        """Return what ``read`` does; what a user can act on is shown on the page."""
        try:
            return read()
        except UnetsegError as error:
            raise self._gradio.Error(escape(str(error)), duration=None) from error

    def _draw(
        self, subject: Subject | None, threshold: float, opacity: float, mode: str, *parts: float
    ) -> tuple[Any, ...]:
        gr = self._gradio
        if subject is None:
            return None, "", None, None, gr.DownloadButton(interactive=False)
        bench, other = self._bench, self._other or self._bench
        scales = dict(zip(bench.levels, parts, strict=True))
        left = other.predict(subject, threshold=threshold)
        right = bench.predict(subject, scales, mode, threshold)
        factor = -(-max(left.mask.shape) // LONGEST_SHOWN)
        shown, before, after = (each[::factor, ::factor] for each in (subject.shown, left.mask, right.mask))
        pictures = tuple(draw_mask(shown, mask, bench.colours, opacity) for mask in (before, after))
        return (
            pictures,
            self._scores(subject, left.mask, right.mask),
            draw_change(shown, before, after),
            draw_probability(right.probabilities[:, ::factor, ::factor]),
            gr.DownloadButton(value=self._written(subject, right.mask), interactive=True),
        )

    def _scores(self, subject: Subject, left: np.ndarray, right: np.ndarray) -> str:
        """Return a table, in Markdown: the share of pixels that changed, and scores where they are known."""
        changed = f"{(left != right).mean():.2%} of the pixels differ between the two."
        tables = [self._bench.score(subject, mask) for mask in (left, right)]
        if not tables[0]:
            return f"{changed} IoU and Boundary IoU need a reference mask."
        lines = [["", "left", "right"], ["---"] * 3]
        for first, second in zip(*tables, strict=True):
            for key in SCORES:
                values = [f"{row.get(key, float('nan')):.3f}" for row in (first, second)]
                lines.append([f"{_plain(first['class'])}, {METRICS[key].label}", *values])
        return "\n".join([changed, "", *(f"| {' | '.join(line)} |" for line in lines)])

    def _written(self, subject: Subject, mask: np.ndarray) -> str:
        path = self._folder / "masks" / f"{Path(subject.name).stem}.png"
        write_labels(path, mask, self._bench.colours)
        return str(path)

    def _legend(self, names: Sequence[str], colours: Sequence[tuple[int, int, int]]) -> str:
        return "".join(
            f'<span class="swatch" style="background: rgb{colour}"></span>{escape(name)}'
            for name, colour in zip(names, colours, strict=True)
        )


def _plain(text: str) -> str:
    """Return a name such that Markdown shows it as it is."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()#+-.!|<>~$" else sign for sign in text)
