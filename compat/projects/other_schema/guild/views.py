"""The guild's own views."""

from rest_framework.response import Response
from rest_framework.views import APIView


class Works(APIView):
    """The member's works."""

    def get(self, request):
        return Response({"customer": request.user.get_username(), "works": []})
