"""The arrays that the compiled kernel reads: constants of a network, laid out for one contiguous pass.

Roads lie one after another in *slots*; an unused slot, with rate 0, lies before each road and after the last.
So the face between slots j - 1 and j belongs to one road only, and the interior is one loop over all slots.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

MEASURES = ("delay_veh_s", "time_veh_s", "queue_mean_veh", "stops_veh", "exits_veh", "queue_max_veh", "overall")
"""Rows of the measures of one decision, each for motorbikes and cars; ``overall`` holds the greatest
total queue [veh] and the imbalance of queues between approaches and exits [veh]."""


class Tables(NamedTuple):
    """Constants of one network, its classes and its signals.

    Attributes:
        physics: (9, 2) by class: Vmax [m/s]; c = Vmax / R^2 [m/s]; 1 / R [-]; 1 - exp(-dt / order / tau) [-];
            vehicle length [m]; then constants of the same type: (0, 1); (least number kept, 2); (least occupancy
            of a present class, 0); (1 / 2, 0).
        rate: (slots,) dt / dx [s/m], 0 in unused slots.
        links: (links, 4) first slot, slot after the last, row of the entry queue or -1, whether it leads to a road.
        widths: (links, 2) cell length [m], lanes.
        targets: (links, 3) link that left, through and right lead to, or -1 for out of the network.
        ratios: (links, 3) shares of left, through and right [-].
        green: (phases, 4) 1 where a phase gives green to north, south, east, west.
        timing: substeps, samples a decision, intergreen, least green and greatest green (0: none) in
            substeps, road segments observed, yellow in substeps.
        scalars: time step [s], greatest outflow a lane [m/s], stop speed [m/s], entry queue scale [veh],
            decision [s], elapsed green shown as one half [s].
    """

    physics: Floats
    rate: Floats
    links: Integers
    widths: Floats
    targets: Integers
    ratios: Floats
    green: Integers
    timing: Integers
    scalars: Floats
