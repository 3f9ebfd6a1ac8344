"""Every fault at every operation: the disk, signals, power, damage, and what others do meanwhile.

The loop is SQLite's: fail operation 1, then 2, then 3, until a run is clean, each once and for ever. After each fault
the invariants are checked: the output is absent or complete and the same to the byte as that of a run nothing happened
to, what is unfinished can be opened, the same call finishes without computing again what was recorded, the input is
what it was, nothing is left over and nothing was printed.

``pytest tests/faults --fault-table`` prints how many cases ran in each cell of faults and moments; ``--every-fault``
takes every operation instead of some of each moment (``make soak``).

What cannot be produced without being root, and stands here as what it would look like from inside a process:

- A disk that fails or fills, or a quota: the system call is made to fail (``Faulty``), not a device. That a file system
  throws away what it could not write is modelled in ``power``.
- A power loss: the state of the disk is made from a trace (``power``), with each write since the last sync kept,
  dropped or torn by sectors and the names cut at any change since the last sync of the directory. A disk that lies
  about syncing, or a file system that gives names in another order than they were given, is beyond it.
- A machine that starts anew under the same name: the lock of a dead run is there with another boot's id.
"""
