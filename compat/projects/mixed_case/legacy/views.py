"""The project's own views."""

from rest_framework.response import Response
from rest_framework.views import APIView


class Orders(APIView):
    """The user's orders."""

    def get(self, request):
        return Response({"customer": request.user.get_username(), "orders": []})
