"""The clinic's own views."""

from rest_framework.response import Response
from rest_framework.views import APIView


class Appointments(APIView):
    """The person's appointments."""

    def get(self, request):
        return Response({"customer": request.user.get_username(), "person": str(request.user.pk)})
