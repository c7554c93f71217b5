"""Services of the catalog."""

from identity.handlers.crud import Crud
from identity.services import services

CRUD = Crud(services.NOUN)
index, show, create, update, delete = CRUD.index, CRUD.show, CRUD.create, CRUD.update, CRUD.delete
