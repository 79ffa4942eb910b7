"""Tables as LaTeX (booktabs), and text that LaTeX shows as it is."""

from collections.abc import Sequence

from unetseg.utilities.text import printable

# What pdfLaTeX would take for a command, or does not know.
_WRITTEN = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "²": "$^2$", "∞": r"$\infty$",
    "≥": r"$\geq$", "≤": r"$\leq$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$", "½": r"$\frac{1}{2}$", "–": "--",
    "…": r"\ldots{}", "→": r"$\rightarrow$", "▲": r"$\blacktriangle$", "▼": r"$\blacktriangledown$",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return text that LaTeX shows as it is, whatever a class or file is called."""
    return "".join(_WRITTEN.get(letter, letter) for letter in " ".join(printable(text).split()))


def table(caption: str, label: str, head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    r"""Return a ``table`` with the rules of booktabs.

    Args:
        caption: plain text, as all cells.
        label: for ``\ref``.
        head: one heading a column.
        rows: of as many cells.
        left: columns of words, aligned to the left; the others to the right.
    """
    columns = "l" * left + "r" * (len(head) - left)
    lines = [" & ".join(map(escaped, cells)) + r" \\" for cells in (head, *rows)]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}; letters beyond Latin need LuaLaTeX",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}.}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
