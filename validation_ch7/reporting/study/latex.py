"""LaTeX as text: every word escaped, every number written in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from validation_ch7.study.statistics import Estimate

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "→": r"\ensuremath{\rightarrow}",
    "…": r"\ldots{}",
}


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it stands; signs that its fonts lack become a question mark.

    >>> escape("50 % of a_b {x}")
    '50 \\% of a\\_b \\{x\\}'
    """
    return "".join(_ESCAPES.get(sign, sign if _printable(sign) else "?") for sign in " ".join(text.split()))


def _printable(sign: str) -> bool:
    return " " <= sign <= "~" or "\u00c0" <= sign <= "\u017f"


def seconds(value: float) -> str:
    """Return a time as the tables show it.

    >>> seconds(12.345)
    '12.3'
    """
    return f"{value:.1f}"


def percent(share: float) -> str:
    r"""Return a share as a percentage.

    >>> percent(-0.1234)
    '$-12.3$\\,\\%'
    """
    return rf"${share * 100:.1f}$\,\%"


def probability(value: float) -> str:
    """Return a probability.

    >>> probability(0.987)
    '0.99'
    """
    return f"{value:.2f}"


def seconds_interval(found: Estimate) -> str:
    """Return a time with its interval.

    >>> seconds_interval(Estimate(12.34, 11.0, 13.0))
    '12.3 [11.0, 13.0]'
    """
    return f"{seconds(found.value)} [{seconds(found.low)}, {seconds(found.high)}]"


def percent_interval(found: Estimate) -> str:
    r"""Return a share with its interval.

    >>> percent_interval(Estimate(0.1, -0.05, 0.2))
    '$10.0$\\,\\% [$-5.0$, $20.0$]'
    """
    return rf"{percent(found.value)} [${found.low * 100:.1f}$, ${found.high * 100:.1f}$]"


def probability_interval(found: Estimate) -> str:
    """Return a probability with its interval.

    >>> probability_interval(Estimate(0.9, 0.8, 1.0))
    '0.90 [0.80, 1.00]'
    """
    return f"{probability(found.value)} [{probability(found.low)}, {probability(found.high)}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str, name: str, columns: str = "") -> str:
    """Return a table that floats.

    Args:
        head: heads of the columns, escaped.
        rows: cells, escaped.
        caption: escaped.
        name: of the label, after ``tab:``.
        columns: LaTeX's column types; default: one left, the others right.
    """
    layout = columns or "l" + "r" * (len(head) - 1)
    lines = [" & ".join(cells) + r" \\" for cells in rows]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            rf"\caption{{{caption}}}\label{{tab:{name}}}",
            r"\vspace{4pt}",
            "",
            rf"\begin{{tabular}}{{@{{}}{layout}@{{}}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def picture(file: str, caption: str, name: str) -> str:
    """Return a figure that floats.

    Args:
        file: name of the PDF.
        caption: escaped.
        name: of the label, after ``fig:``.
    """
    return "\n".join(
        [
            r"\begin{figure}[htbp]",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{file}}}",
            rf"\caption{{{caption}}}\label{{fig:{name}}}",
            r"\end{figure}",
        ]
    )
