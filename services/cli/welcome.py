"""What `leadscore up` says when everything runs.

In: addresses and secrets. Out: a text for a person with things to paste.
Refuses to show a password or a secret key.
"""

from collections.abc import Mapping

from sqlalchemy import make_url

from services.cli.installation import Installation


def welcome(installation: Installation, environment: Mapping[str, str], java: str, took_s: float) -> str:
    """The closing text of a start.

    environment:  the services' own: addresses, ports, keys
    java:         what Kafka runs with
    took_s:       seconds the start took
    """
    ingest = f"http://127.0.0.1:{environment['LEADSCORE_INGEST_PORT']}"
    return f"""
Leadscore is up ({took_s:.1f} s).

  events in    {ingest}
  metrics      {_metrics(environment)}
  Postgres     {make_url(environment["DATABASE_URL"]).render_as_string(hide_password=True)}
  Kafka        {environment["KAFKA_BOOTSTRAP_SERVERS"]} ({java})
  data, keys   {installation.folder} (secrets.env has the write keys)

Send an event as your product's server would (its key is a secret, kept in secrets.env), and look at the lead:

  . "{installation.folder}/secrets.env"
  curl {ingest}/v1/identify -u "$LEADSCORE_KEY_PRODUCT:" \\
    -H 'Content-Type: application/json' \\
    -d '{{"userId": "ada", "traits": {{"email": "ada@example.com", "company": "Example"}}}}'
  .venv/bin/leadscore lead show ada@example.com

On your website (its key is public):

  <script src="{ingest}/leadscore.js" data-key="{environment["LEADSCORE_KEY_WEBSITE"]}" defer></script>

Half a year of shop traffic: make demo. Stop: Ctrl-C. Delete all data: make wipe.
"""


def _metrics(environment: Mapping[str, str]) -> str:
    ports = [environment[f"LEADSCORE_{name}_ADMIN_PORT"] for name in ("INGEST", "SCORER", "ROUTER")]
    first, *others = (f":{port}/metrics" for port in ports)
    return f"http://127.0.0.1{first} (ingest), {others[0]} (scorer), {others[1]} (router)"
