"""What a batch changed about leads → which of them an account has to look at again (pure).

In: the active model, the changes of a batch. Out: notes for the queue; none if the model has no accounts.
Refuses to work out accounts: the batch is on the path of every event, accounts/keep.py is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.scorer.settle import ActiveModel, Change
from shared.ids import LeadId
from shared.leads.account_of import last_act, says_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A lead that changed.

    says:         only its history can tell to which account it belongs now: an event says one, it was merged,
                  or another model with other private domains scored it last
    last_act_at:  when the person last did something, as far as the batch knows
    """

    lead_id: LeadId
    says: bool
    last_act_at: datetime | None


def notes(active: ActiveModel, changes: Iterable[Change]) -> list[Note]:
    """One note for each lead, in the order of the changes."""
    accounts = active.model.accounts
    if accounts is None:
        return []
    private = accounts.private_domains
    return [
        Note(
            lead_id=change.lead.lead_id,
            says=change.merged
            or change.lead.model_version != active.version
            or any(says_account(event, private) for event in change.events),
            last_act_at=last_act(change.events),
        )
        for change in changes
    ]
