"""What runs inside a session: build the model, resume, learn, evaluate; never names a backend."""
