"""Collects the states of a whole Keras model: it runs unchanged while its recurrent layers are recorded.

``finding`` names the recurrent layers, ``tapping`` listens to them while the model runs, ``running`` makes one graph of
that, ``checking`` looks at what it computes, ``feeding`` reads what the model takes, ``counting`` finds which steps
count, ``lookups`` refuses ids that are no rows of an embedding, ``recording`` says how it was done, ``architecture``
and ``code`` of the model, ``windows`` hands batch after batch to a sink, ``model_file`` lets Keras read a file, and
``collect`` knows the order.
"""
