"""How long something lasts, in the words of the model file.

In: seconds. Out: text such as 14d.
"""


def duration_words(duration_s: float) -> str:
    """Seconds in the largest unit that fits: 2w, 14d, 12h, 30m."""
    for unit, seconds in (("d", 86_400), ("h", 3600)):
        if duration_s % seconds == 0:
            return f"{duration_s / seconds:g}{unit}"
    return f"{duration_s / 60:g}m"
