"""What a search has written so far, and how it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Hypothesis:
    """Tokens after the prompt, with the log-probability of each."""

    tokens: list[int] = field(default_factory=list)
    """Without the end of the text."""
    logprobs: list[float] = field(default_factory=list)
    sum_logprob: float = 0.0
    """Of all tokens, the end of the text included when it was written."""
    ended: bool = False

    def extended(self, token: int, logprob: float, end_of_text: int) -> "Hypothesis":
        """Return the hypothesis with one more token."""
        total = self.sum_logprob + logprob
        if token == end_of_text:
            return Hypothesis(self.tokens, self.logprobs, total, ended=True)
        return Hypothesis([*self.tokens, token], [*self.logprobs, logprob], total)

    @property
    def avg_logprob(self) -> float:
        """Mean log-probability per token, the end of the text counted as one."""
        return self.sum_logprob / (len(self.tokens) + 1)


def most_likely(hypotheses: Sequence[Hypothesis], length_penalty: float | None) -> Hypothesis:
    """Choose by log-probability over length, or over Google's penalty (Wu et al. 2016, equation 14).

    Args:
        hypotheses: At least one.
        length_penalty: Its alpha; `None` divides by the length.
    """

    def score(hypothesis: Hypothesis) -> float:
        length = len(hypothesis.tokens)
        penalty = length if length_penalty is None else ((5 + length) / 6) ** length_penalty
        return hypothesis.sum_logprob / penalty if penalty else float("-inf")

    return max(hypotheses, key=score)
