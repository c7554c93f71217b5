"""Policy documents, which services used to store here. They are stored and shown, but not enforced."""

from identity.handlers.crud import Crud
from identity.services import policies

CRUD = Crud(policies.NOUN)
index, show, create, update, delete = CRUD.index, CRUD.show, CRUD.create, CRUD.update, CRUD.delete
