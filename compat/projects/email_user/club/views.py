"""The club's own views."""

from rest_framework.response import Response
from rest_framework.views import APIView


class Membership(APIView):
    """Who the member is."""

    def get(self, request):
        return Response({"customer": request.user.get_username(), "since": request.user.date_joined})
