"""Lands what an incident of a replay leaves of a source, and records what the door made of it."""

from dataclasses import replace

from ml_pipeline.contracts.replay import IncidentContract
from ml_pipeline.io.connectors.disturbed import DisturbedConnector
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.holds import hold_ledger
from ml_pipeline.operations.land import LandingBlockedError, LandingHeldError, land
from ml_pipeline.operations.replay import STANDS_IN
from ml_pipeline.operations.site import Site

REFUSED_LANDINGS = "replay_refused_landings"


def land_disturbed(site: Site, incident: IncidentContract) -> None:
    """Land again, one after the other, the nights that ``incident`` touches, through the site's disturbed connector.

    A delivery that is held is accepted, and recorded as that. One that is refused is delivered once more without the
    incident, as its supplier would have to: the night then holds what it held.
    """
    for night in nights_between(incident.first, incident.settled_on):
        _land(site, incident, night)


def _land(site: Site, incident: IncidentContract, night: Night) -> None:
    accepted = False
    while True:
        try:
            land(site, incident.source, [night], may_restate=True)
        except LandingHeldError:
            if accepted:
                raise
            ledger = hold_ledger(site)
            for id_ in ledger.holds().keys() - ledger.accepted().keys():
                ledger.accept(id_, STANDS_IN)
            accepted = True
        except LandingBlockedError as error:
            site.ledger(REFUSED_LANDINGS).append({
                "incident": incident.name, "source": incident.source, "night": str(night), "reason": str(error),
            })  # fmt: skip
            land(_without(site, incident), incident.source, [night], may_restate=True)
            return
        else:
            return


def _without(site: Site, incident: IncidentContract) -> Site:
    connector = site.connector
    if not isinstance(connector, DisturbedConnector):
        raise TypeError("a site without a disturbed connector has no incident to be left out")
    kept = tuple(each for each in connector.incidents if each.name != incident.name)
    return replace(site, connector=replace(connector, incidents=kept))
