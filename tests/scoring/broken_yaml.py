"""A good model file broken further: its YAML, its numbers, its patterns, its circles, and files of their own.

`BAD` changes one place of `GOOD`, as tests/scoring/broken.py does; `WHOLE` are whole files.
"""

from tests.scoring.broken import GOOD

BAD = {
    "a tag": ("points: 8", "points: !!python/name:os.system 8", "scoring.yaml:19: tag "),
    "an anchor": ("points: 8", "points: &p 8", 'scoring.yaml:19: anchor "&p"'),
    "a tag that runs a command": (
        "points: 8",
        "points: !!python/object/apply:os.system ['id']",
        'scoring.yaml:19: tag "!!python/object/apply:os.system". Remove it: tags are not read',
    ),
    "an alias": ("points: 8", "points: *p", 'scoring.yaml:19: alias "*p". Write the value out'),
    "a merge key": (
        "    points: 8\n",
        "    <<: {points: 8}\n",
        'scoring.yaml:19: rule "pricing": unknown key "<<".',
    ),
    "a tab": ("    points: 8", "\tpoints: 8", "scoring.yaml:19: not YAML: a tab. Indent with blanks"),
    "an open bracket": (
        "values: {demo: 30}}",
        "values: {demo: 30}",
        "scoring.yaml:28: not YAML: did not find expected ',' or '}'. Close the bracket, or put a comma",
    ),
    "an open quote": (
        "name: Small",
        'name: "Small',
        "not YAML: did not find expected key. Mend the indentation, or close the quotes",
    ),
    "a colon in text": (
        "name: Small",
        "name: Small: Big",
        "scoring.yaml:1: not YAML: mapping values are not allowed in this context. Put text with a colon int",
    ),
    "no blank after the colon": (
        "    points: 8",
        "    points:8",
        "scoring.yaml:20: not YAML: could not find expected ':'. Write each key with a colon and a blank",
    ),
    "a star without quotes": (
        "event: page.viewed",
        "event: *",
        "scoring.yaml:17: not YAML: did not find expected alphabetic or numeric character. Put text that beg",
    ),
    "an at sign": (
        "name: Small",
        "name: @Small",
        'scoring.yaml:1: not YAML: text begins with "@". Put it into quotes',
    ),
    "a backslash in double quotes": (
        "{starts_with: /pricing}",
        '{matches: "\\w"}',
        "scoring.yaml:18: not YAML: found unknown escape character. Put text with a backslash into single qu",
    ),
    "a list as a key": (
        "  demo-request:\n",
        "  [a]:\n",
        "scoring.yaml:22: a key is a list or a mapping. Use plain text",
    ),
    "a NUL byte": (
        "half_life: 14d",
        "half_life: 1\x004d",
        "scoring.yaml:20: not YAML: control characters are not all",
    ),
    "half a character": (
        "half_life: 14d",
        "half_life: \ud800",
        "scoring.yaml:20: half a character (a surrogate)",
    ),
    "an escape code in a name": (
        "name: Small",
        'name: "\\e[2J"',
        "scoring.yaml:1: name: expected text in one line, without control characters",
    ),
    "two files in one": (
        "stages:\n",
        "---\nstages:\n",
        "scoring.yaml:37: not YAML: found another document. Put each into a file of its own",
    ),
    "deep nesting": (
        "name: Small",
        "name: " + "[" * 5000 + "]" * 5000,
        "scoring.yaml:1: nested deeper than 32 levels",
    ),
    "deep conditions": (
        "{page.path: {starts_with: /pricing}}",
        "{not: " * 12 + "{page.path: x}" + "}" * 12,
        "nested deeper than 8 levels. Split the rule",
    ),
    "points without end": ("points: 8", "points: .inf", 'points: expected a number; seen: ".inf"'),
    "points beyond floats": ("points: 8", "points: 1e999", 'points: expected a number; seen: "1e999"'),
    "points of a thousand digits": (
        "points: 8",
        "points: " + "9" * 1000,
        'points: expected a number; seen: "9999',
    ),
    "points with a comma": ("points: 8", "points: 8,5", 'points: expected a number; seen: "8,5"'),
    "a template": ("points: 8", "points: '{{ 7*7 }}'", 'points: expected a number; seen: "{{ 7*7 }}"'),
    "an expression": (
        "points: 8",
        "points: __import__('os').getcwd()",
        "points: expected a number; seen: \"__import__('os').getcwd()\"",
    ),
    "an environment variable": ("points: 8", "points: ${HOME}", 'points: expected a number; seen: "${HOME}"'),
    "a limit of billions": (
        "times: 3",
        "times: 99999999999",
        "limit, times: must be less than or equal to 1000; seen: 99999999999",
    ),
    "a negative half-life": (
        "half_life: 14d",
        "half_life: -14d",
        'weeks, such as 30m, 12h, 14d, 2w; seen: "-14d"',
    ),
    "a half-life in months": ("half_life: 14d", "half_life: 2 months", '14d, 2w; seen: "2 months"'),
    "a half-life without end": ("half_life: 14d", "half_life: 999999999999d", '2w; seen: "999999999999d"'),
    "a window of no hours": ("per: day", "per: 0h", 'or hours such as 6h; seen: "0h"'),
    "a limit of one number": (
        "limit: {times: 3, per: day}",
        "limit: 3",
        "limit: expected keys and values; seen: 3",
    ),
    "a repetition of one": (
        "limit: {times: 3, per: day}",
        "repeat: {times: 1, within: 7d}",
        "repeat, times: must be greater than or equal to 2; seen: 1",
    ),
    "a sequence without end": (
        "limit: {times: 3, per: day}",
        "after: {event: x}",
        'rule "pricing", after: "within" is missing',
    ),
    "no event": (
        "event: page.viewed",
        "event: []",
        'rule "pricing", event: expected 1 or more entries; seen: []',
    ),
    "an event without a name": (
        "event: page.viewed",
        "event: ''",
        'event: expected text, not empty; seen: ""',
    ),
    "a kind that is none": (
        "event: page.viewed\n",
        "event: page.viewed\n    kind: webb\n",
        'kind: must be one of crm, email, form, product, web. Did you mean "web"?; seen: "webb"',
    ),
    "a label in one language": (
        "{en: Pricing, de: Preise}",
        "Pricing",
        'label: expected keys and values; seen: "Pri',
    ),
    "a label as long as a page": (
        "en: Pricing",
        "en: " + "w" * 900,
        "en: expected 160 or fewer characters, not 900",
    ),
    "a key as long as a page": ("half_life:", "h" * 900 + ":", 'unknown key "hhhhh'),
    "a day that is none": (
        "{not_in: free-mail}",
        "{gte: 2026-02-30}",
        'such as 2026-01-31; seen: "2026-02-30"',
    ),
    "pattern of pairs": (
        "{starts_with: /pricing}",
        "{matches: '(x+x+)+y'}",
        'Use one * or + only; seen: "(x+x+)+y"',
    ),
    "pattern of anything": (
        "{starts_with: /pricing}",
        "{matches: '(.*)*'}",
        'Use one * or + only; seen: "(.*)*"',
    ),
    "pattern of doubles": ("{starts_with: /pricing}", "{matches: '(a|a)*b'}", '* or + only; seen: "(a|a)*b"'),
    "pattern of maybes": (
        "{starts_with: /pricing}",
        "{matches: '(?:a?){50}a{50}'}",
        'Use one * or + only; seen: "(?:a?){50}a{50}"',
    ),
    "pattern of words": (
        "{starts_with: /pricing}",
        "{matches: '^([a-z]+)*@'}",
        '* or + only; seen: "^([a-z]+)*@"',
    ),
    "a grade too few": (', "3": 10', "", 'scoring.yaml:36: grade, engagement: "3" is missing'),
    "a grade with a fraction": ("A: 30", "A: 30.5", "grade, fit, A: expected a whole number; seen: 30.5"),
    "a stage that is left to text": (
        "leave: {below: {score: 30}, to: lead}",
        "leave: [lead]",
        'stage "mql", leave number 1: expected keys and values; seen: "lead"',
    ),
    "a stage entered by nothing": (
        "    enter: {at_least: {score: 60}}\n",
        "    enter:\n",
        'stage "sql", enter: expected a list; seen: nothing',
    ),
    "a line below nothing": ("{score: 60}", "{score: -5}", "score -5 decides nothing. The score is 0 to 100"),
    "a circle of time": (
        "    enter: {at_least: {score: 60}}\n",
        (
            "    enter: {at_least: {score: 60}}\n    limit: {after: 9d, to: mql}\n"
            "  recycled:\n    label: {en: R, de: R}\n    limit: {after: 9d, to: sal}\n"
            "  sal:\n    label: {en: S, de: S}\n    limit: {after: 9d, to: recycled}\n"
        ),
        'scoring.yaml:48: stage "recycled": cycle: recycled -> sal (line 48) -> recycled (line 51), for ever',
    ),
    "a circle of lines": (
        "    enter: {at_least: {score: 60}}\n",
        (
            "    enter: {at_least: {score: 60}}\n    leave: {below: {score: 50}, to: recycled}\n"
            "  recycled:\n    label: {en: R, de: R}\n    leave: {below: {engagement: 5}, to: sql}\n"
        ),
        "cycle: recycled -> sql (line 48) -> recycled (line 45), for ever, for leads with",
    ),
    "a builtin list that is none": (
        "rivals: rivals.txt",
        "rivals: builtin:freemail",
        'list "rivals": unknown builtin list "freemail". Builtin lists: disposable, free-mail. Did you mean ',
    ),
    "a list file of the system": (
        "rivals: rivals.txt",
        "rivals: /etc/passwd",
        'scoring.yaml:12: list "rivals": "/etc/passwd" may lie outside the folder of the model. Lists lie be',
    ),
    "a list file up and away": (
        "rivals: rivals.txt",
        "rivals: ../../etc/passwd",
        'scoring.yaml:12: list "rivals": "../../etc/passwd" may lie outside the folder of the model.',
    ),
    "a path among values": (
        "[gmail.com, GMX.de]",
        "[gmail.com, own.txt]",
        '"own.txt" looks like a path, but stands among values. Write file:own.txt',
    ),
}

RULE = "  r{}: {{label: {{en: x, de: x}}, group: web, event: e, points: 1, limit: {{times: 1, per: day}}}}\n"
ALIASES = "".join(f"a{n}: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))

WHOLE = {
    "empty": ("", 'scoring.yaml:1: "dimensions" is missing'),
    "comments only": ("# nothing yet\n", 'scoring.yaml:1: "groups" is missing'),
    "words": ("just words", 'scoring.yaml:1: expected keys and values; seen: "just words"'),
    "a list": ("- a\n- b\n", "scoring.yaml:1: expected keys and values; seen: ['a', 'b']"),
    "a number": ("42", "scoring.yaml:1: expected keys and values; seen: 42"),
    "nothing": ("null", 'scoring.yaml:1: "grade" is missing'),
    "a name only": ("name: x", 'scoring.yaml:1: "dimensions" is missing'),
    "ten megabytes": (
        "# padding\n" * 1_000_000,
        "scoring.yaml:1: 10,000,000 bytes. At most 1,000,000; split off lists",
    ),
    "a billion laughs": (f"a0: [x, x]\n{ALIASES}", 'scoring.yaml:2: alias "*a0". Write the value out'),
    "an alias to itself": ("a: &a [*a]\n", 'scoring.yaml:1: anchor "&a". Remove it: anchors are not read'),
    "ten thousand rules": (
        GOOD.replace("fit:\n  b", "".join(map(RULE.format, range(10_000))) + "fit:\n  b"),
        "more than 50,000 keys and values. Put long lists into own files",
    ),
    "six hundred rules": (
        GOOD.replace("fit:\n  b", "".join(map(RULE.format, range(600))) + "fit:\n  b"),
        "scoring.yaml:13: engagement: expected 500 or fewer entries, not 602; seen: keys pricing, demo-reque",
    ),
    "one key again and again": (
        "k: 1\n" * 20_000,
        'scoring.yaml:2: key "k" is here twice, first in line 1. Remove one',
    ),
    "a key without end": (
        f"{'k' * 90_000}: 1\n",
        "not YAML: a key of more than 1,024 characters. Shorten it",
    ),
    "a thousand patterns": (
        GOOD.replace(
            "{page.path: {starts_with: /pricing}}", "{any: [" + "{page.path: {matches: ^a}}, " * 1000 + "]}"
        ),
        "any number 301, page.path, matches: more than 300 patterns in the file. Use starts_with, contains o",
    ),
}
