"""A good model file, and ways to break it by types, names and numbers: what changes, and what is told.

`BAD` changes one place of `GOOD`. Broken YAML, patterns and whole files are in tests/scoring/broken_yaml.py,
files that cannot be read at all in tests/scorer/test_model_source.py.
"""

GOOD = """\
name: Small
dimensions:
  fit: {label: {en: Fit, de: Passung}}
  engagement: {label: {en: Engagement, de: Interesse}, between: [0, 60]}
groups:
  web: {label: {en: Web, de: Web}, dimension: engagement}
  email: {label: {en: E-mail, de: E-Mail}, dimension: engagement}
  forms: {label: {en: Forms, de: Formulare}, dimension: engagement}
  company: {label: {en: Company, de: Unternehmen}, dimension: fit}
lists:
  free-mail: [gmail.com, GMX.de]
  rivals: rivals.txt
engagement:
  pricing:
    label: {en: Pricing, de: Preise}
    group: web
    event: page.viewed
    when: {page.path: {starts_with: /pricing}}
    points: 8
    half_life: 14d
    limit: {times: 3, per: day}
  demo-request:
    label: {en: Demo, de: Demo}
    group: forms
    event: form.submitted
    when: {properties.form: demo}
    points: {by: properties.form, values: {demo: 30}}
fit:
  business:
    label: {en: Business, de: Firma}
    group: company
    when: {email_domain: {not_in: free-mail}}
    points: 10
grade:
  fit: {A: 30, B: 20, C: 10}
  engagement: {"1": 30, "2": 20, "3": 10}
stages:
  mql:
    label: {en: MQL, de: MQL}
    enter: {at_least: {score: 40}}
    leave: {below: {score: 30}, to: lead}
  sql:
    label: {en: SQL, de: SQL}
    enter: {at_least: {score: 60}}
"""
LISTS = {"rivals": frozenset({"rival.example"})}


BAD = {
    "unknown group": (
        "    group: forms\n",
        "    group: webb\n",
        (
            'scoring.yaml:24: rule "demo-request": unknown group "webb". '
            'Groups: company, email, forms, web. Did you mean "web"?'
        ),
    ),
    "unknown group of a fit rule, which holds for whom nobody knows": (
        "    group: company\n    when: {email_domain: {not_in: free-mail}}\n",
        "    group: compnay\n    when: {not: {email_domain: free-mail}}\n",
        (
            'scoring.yaml:31: rule "business": unknown group "compnay". '
            'Groups: company, email, forms, web. Did you mean "company"?'
        ),
    ),
    "unknown key": (
        "    half_life: 14d\n",
        "    halflife: 14d\n",
        (
            'scoring.yaml:20: rule "pricing": unknown key "halflife". Keys: after, between, event, group, '
            'half_life, kind, label, limit, points, purpose, repeat, when. Did you mean "half_life"?'
        ),
    ),
    "unknown section": (
        "grade:\n",
        "grades:\n",
        (
            'scoring.yaml:34: unknown key "grades". Keys: accounts, consent, dimensions, engagement, fit, '
            'grade, groups, lists, name, stages. Did you mean "grade"?'
        ),
    ),
    "missing section": ("name: Small\n", "", 'scoring.yaml:1: "name" is missing'),
    "missing key": ("    points: 8\n", "", 'scoring.yaml:14: rule "pricing": "points" is missing'),
    "missing language": (
        "{en: Pricing, de: Preise}",
        "{en: Pricing}",
        'scoring.yaml:15: rule "pricing", label: "de" is missing',
    ),
    "half-life without unit": (
        "half_life: 14d",
        "half_life: 14",
        (
            'scoring.yaml:20: rule "pricing", half_life: expected a duration in minutes, hours, days or '
            "weeks, such as 30m, 12h, 14d, 2w; seen: 14"
        ),
    ),
    "half-life of nothing": (
        "half_life: 14d",
        "half_life: 0d",
        'rule "pricing", half_life: expected a duration',
    ),
    "points in words": (
        "points: 8",
        "points: eight",
        'scoring.yaml:19: rule "pricing", points: expected a number; seen: "eight"',
    ),
    "points quoted": ("points: 8", 'points: "8"', 'rule "pricing", points: expected a number; seen: "8"'),
    "points beyond reason": (
        "points: 8",
        "points: 1e9",
        'rule "pricing", points: must be less than or equal to 1000; seen: 1000000000.0',
    ),
    "points that are no number": ("points: 8", "points: .nan", 'points: expected a number; seen: ".nan"'),
    "limit of nothing": (
        "times: 3",
        "times: 0",
        'scoring.yaml:21: rule "pricing", limit, times: must be greater than or equal to 1; seen: 0',
    ),
    "limit of true": ("times: 3", "times: true", "limit, times: expected a whole number; seen: true"),
    "limit for each of a field that events do not have": (
        "per: day}",
        "per: day, for_each: email_id}",
        (
            'scoring.yaml:21: rule "pricing": events have no field "email_id". '
            "Fields: context.…, kind, name, page.path, page.title, page.url, properties.…, source, traits.…"
        ),
    ),
    "limit for each of nothing": (
        "per: day}",
        'per: day, for_each: ""}',
        'rule "pricing", limit, for_each: ',
    ),
    "limit per what": (
        "per: day",
        "per: days",
        'limit, per: expected hour, day, week, month, ever, or hours such as 6h; seen: "days"',
    ),
    "unknown field": (
        "page.path: {starts",
        "page.pth: {starts",
        'rule "pricing", when, page.pth: events have no field "page.pth". Fields: ',
    ),
    "field at the top": (
        "{properties.form: demo}",
        "{form: demo}",
        'when, form: events have no field "form". Fields: ',
    ),
    "unknown operator": (
        "{starts_with: /pricing}",
        "{start_with: /pricing}",
        (
            'scoring.yaml:18: rule "pricing", when, page.path, start_with: unknown operator "start_with". '
            "Operators: contains, eq, exists, gt, gte, in, lt, lte, matches, not_eq, not_in, starts_with. "
            'Did you mean "starts_with"?'
        ),
    ),
    "operator that cannot": (
        "{starts_with: /pricing}",
        "{gte: /pricing}",
        'gte: expected a number, or a date such as 2026-01-31; seen: "/pricing"',
    ),
    "exists maybe": (
        "{starts_with: /pricing}",
        "{exists: maybe}",
        'exists: expected true or false; seen: "maybe"',
    ),
    "empty value": ("{starts_with: /pricing}", '""', "expected one value, not empty; seen: nothing"),
    "empty condition": ("{page.path: {starts_with: /pricing}}", "{}", 'rule "pricing", when: '),
    "any of no list": (
        "{page.path: {starts_with: /pricing}}",
        "{any: {page.path: /pricing}}",
        'rule "pricing", when, any: expected a list of conditions; seen: ',
    ),
    "unknown list": (
        "{not_in: free-mail}",
        "{not_in: freemail}",
        (
            'rule "business", when, email_domain, not_in: unknown list. Lists: free-mail, rivals. '
            'Did you mean "free-mail"?; seen: "freemail"'
        ),
    ),
    "list of lists": ("{not_in: free-mail}", "{not_in: [[a]]}", "expected single values in the list"),
    "list file absent": (
        "  rivals: rivals.txt\n",
        "  rivals: rivals.txt\n  students: students.txt\n",
        'scoring.yaml:13: list "students": its values were not fetched. Load the model by its file',
    ),
    "pattern broken": (
        "{starts_with: /pricing}",
        "{matches: '(('}",
        "matches: missing ), unterminated subpattern at position 1. Use a valid regular expression",
    ),
    "pattern that hangs": (
        "{starts_with: /pricing}",
        "{matches: '(a+)+$'}",
        "repetition of something that can match in several ways",
    ),
    "pattern that hangs by choice": (
        "{starts_with: /pricing}",
        "{matches: '(a|aa)+$'}",
        "repetition of something",
    ),
    "pattern that hangs slowly": (
        "{starts_with: /pricing}",
        "{matches: '.*a.*b.*c.*d'}",
        "could take too long. Use one * or + (two where it starts with ^), or contains, starts_with",
    ),
    "pattern that refers": ("{starts_with: /pricing}", "{matches: '(a)\\1'}", "look-around, references"),
    "pattern that looks ahead": ("{starts_with: /pricing}", "{matches: '(?=a)b'}", "look-around, references"),
    "pattern too long": (
        "{starts_with: /pricing}",
        "{matches: '" + "a" * 201 + "'}",
        "201 characters. At most 200",
    ),
    "table by no field": (
        "{by: properties.form",
        "{by: form",
        'scoring.yaml:27: rule "demo-request": events have no field "form". Fields: ',
    ),
    "table without values": ("values: {demo: 30}", "each: 2", 'points: "between" is missing'),
    "bounds the wrong way": (
        "between: [0, 60]",
        "between: [60, 0]",
        'scoring.yaml:4: dimension "engagement": between 60 and 0 is nothing. Write the smaller number first',
    ),
    "bounds of one": ("between: [0, 60]", "between: [60]", 'dimension "engagement", between: '),
    "unknown dimension": (
        "dimension: fit}",
        "dimension: fitt}",
        (
            'scoring.yaml:9: group "company": unknown dimension "fitt". Dimensions: engagement, fit. '
            'Did you mean "fit"?'
        ),
    ),
    "dimension named score": (
        "  fit: {label: {en: Fit, de: Passung}}\n",
        "  fit: {label: {en: Fit, de: Passung}}\n  score: {label: {en: X, de: X}}\n",
        'scoring.yaml:4: dimension "score": "score" is the whole score',
    ),
    "no fit dimension": (
        "  fit: {label: {en: Fit, de: Passung}}\n",
        "",
        'scoring.yaml:2: dimensions: dimension "fit" is missing: grades are made of fit and engagement',
    ),
    "weight below nothing": (
        "engagement: {label: {en: Engagement, de: Interesse}, between: [0, 60]}",
        "engagement: {label: {en: Engagement, de: Interesse}, weight: -1}",
        'dimension "engagement", weight: must be greater than or equal to 0; seen: -1',
    ),
    "one name twice": (
        "fit:\n  business:\n",
        "fit:\n  pricing:\n",
        'scoring.yaml:29: rule "pricing": an engagement rule has this name too. Give each rule its own',
    ),
    "a rule twice": (
        "  demo-request:\n",
        "  pricing:\n",
        'scoring.yaml:22: key "pricing" is here twice, first in line 14. Remove one',
    ),
    "name with blanks": (
        "  demo-request:\n",
        "  Demo Request:\n",
        'scoring.yaml:22: rule "Demo Request": expected a name of small letters, digits, - and _; seen: ',
    ),
    "grades that rise": (
        "{A: 30, B: 20, C: 10}",
        "{A: 10, B: 20, C: 30}",
        "scoring.yaml:35: grade, fit: A 10, B 20, C 30 do not fall. A better letter needs more points",
    ),
    "numbers that stand": ('"2": 20', '"2": 30', "scoring.yaml:36: grade, engagement: 1: 30, 2: 30, 3: 10"),
    "unknown stage": (
        "  mql:\n",
        "  mqll:\n",
        (
            'scoring.yaml:38: stage "mqll": must be one of customer, disqualified, lead, mql, opportunity, '
            'pql, recycled, sal, service_qualified, sql, visitor. Did you mean "mql"?'
        ),
    ),
    "visitor as a stage": (
        "  mql:\n",
        "  visitor: {label: {en: V, de: V}}\n  mql:\n",
        'scoring.yaml:38: stage "visitor": everybody begins as a visitor. Remove the entry',
    ),
    "lead by score": (
        "  mql:\n",
        "  lead: {label: {en: L, de: L}, enter: {at_least: {score: 3}}}\n  mql:\n",
        'scoring.yaml:38: stage "lead": a visitor who becomes known is a lead. Remove the lines',
    ),
    "line on nothing known": (
        "{score: 60}",
        "{scor: 60}",
        (
            'scoring.yaml:44: stage "sql": unknown dimension "scor". Known: engagement, fit, score. '
            'Did you mean "score"?'
        ),
    ),
    "line beyond the score": (
        "{score: 60}",
        "{score: 120}",
        'scoring.yaml:44: stage "sql": score 120 decides nothing. The score is 0 to 100; use 1 to 100',
    ),
    "line with a fraction": ("{score: 60}", "{score: 59.5}", "expected a whole number; seen: 59.5"),
    "line always true": (
        "enter: {at_least: {score: 60}}",
        "enter: {after: 3d}",
        'scoring.yaml:44: stage "sql": would hold always. Add at_least, grade, profile or event',
    ),
    "when without event": (
        "enter: {at_least: {score: 60}}",
        "enter: {at_least: {score: 60}, when: {properties.a: b}}",
        'stage "sql": when and kind speak of an event. Add event:, or use profile:',
    ),
    "leave to nowhere": (
        "to: lead}",
        "to: recycled}",
        'scoring.yaml:41: stage "mql": unknown stage "recycled". Other stages: lead, sql',
    ),
    "leave to itself": ("to: lead}", "to: mql}", 'stage "mql": unknown stage "mql". Other stages: lead, sql'),
    "leave always": (
        "leave: {below: {score: 30}, to: lead}",
        "leave: {to: lead}",
        'stage "mql": would hold always. Add below, grade or profile',
    ),
    "from nowhere": (
        "enter: {at_least: {score: 60}}",
        "enter: {at_least: {score: 60}, from: sal}",
        'scoring.yaml:44: stage "sql": unknown stage "sal". Other stages: lead, mql',
    ),
    "grade that is none": (
        "enter: {at_least: {score: 60}}",
        "enter: {grade: A5}",
        'stage "sql", enter, grade',
    ),
    "limit to nowhere": (
        "enter: {at_least: {score: 60}}",
        "limit: {after: 3d, to: customer}",
        'stage "sql": unknown stage "customer". Other stages: lead, mql',
    ),
    "text instead of keys": (
        "engagement:\n  pricing:",
        "engagement: many\nx:\n  pricing:",
        "engagement: expected",
    ),
}
