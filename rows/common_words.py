"""Common English words for texts whose model keeps none of its own: small, neutral, in no special order.

FUNCTION_WORDS are those that most lists of stop words hold; CONTENT_WORDS name everyday things.
"""

__all__ = ["CONTENT_WORDS", "FUNCTION_WORDS"]

_FUNCTION = """
the of and to a in is it that was for on are with as be at this have from or had by but not what all
were when we there can an your which their if will up about out many then them these so some her
would him into has more no my than been who its now do could
"""

_CONTENT = """
time day year people way water word place work part number sound name line sentence man woman child
world school state family student group country problem hand system program question government
night point home room mother area money story fact month lot right study book eye job business issue
side kind head house service friend father power hour game end member law car city community team
minute idea body information back parent face level office door health person art history party
result change morning reason research girl boy moment air teacher force education foot age policy
music market street paper food river road table window picture letter price order phone support
delivery quality product customer account message answer report project company weather garden
kitchen dinner breakfast train station travel hotel holiday summer winter spring evening weekend
doctor hospital medicine sport ball player season match film actor song dance voice light colour
size shape north south east west good new first last long great little own other old big high
different small large next early young important few public bad same able free sure clear full
special easy strong whole better best simple fast slow warm cold dark bright clean quiet happy sad
open close begin start stop turn show hear play run move live believe bring happen write sit stand
lose pay meet include continue set learn lead understand watch follow create speak read spend grow
walk win offer remember love consider appear buy wait serve send expect build stay fall cut reach
remain suggest raise pass sell require decide pull return explain hope carry break receive agree
hold produce eat cover catch draw choose wear visit test use find tell ask seem feel try leave call
need become mean keep let help talk put
"""

FUNCTION_WORDS = tuple(_FUNCTION.split())
CONTENT_WORDS = tuple(_CONTENT.split())
