"""UnsafeImage input over every route of every service: nothing that a client sends is answered with 500 or above."""
