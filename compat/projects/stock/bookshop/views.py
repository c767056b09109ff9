"""The bookshop's own views."""

from rest_framework.response import Response
from rest_framework.views import APIView


class Basket(APIView):
    """The customer's basket."""

    def get(self, request):
        return Response({"customer": request.user.get_username(), "books": []})
