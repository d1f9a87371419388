"""The example client as a file, for a job that has nothing but this server's address.

It needs no token: it holds nothing of the server's, and a job fetches it before it has a secret at hand.
"""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from routes.problems import answers
from settings import PROJECT_ROOT

__all__ = ["CLIENT", "router"]

CLIENT = PROJECT_ROOT / "example_client" / "client_api_example.py"
MEDIA_TYPE = "text/x-python"

router = APIRouter(tags=["system"], responses=answers(403))


@router.get(
    "/client.py",
    summary="The example client",
    response_class=FileResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
async def client_file() -> FileResponse:
    """One Python file that needs httpx alone; answered without a token."""
    return FileResponse(
        CLIENT, media_type=MEDIA_TYPE, filename=CLIENT.name, content_disposition_type="inline"
    )
