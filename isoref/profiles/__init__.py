"""Radial profiles σ: values with six methods (σ, σ′, γ, δ, γ′, κ), a name and Lipschitz constants.

base        the abstract `Profile`, its laws and its one door for arrays
rounding    the parameters of a profile in the dtype in use
linear      identity, relu, unit
rational    softsign, squash
sigmoids    tanh, atan, log1p
gated       silu, gelu
series      positive series and continued fractions
normal      the normal density and distribution
lipschitz   upper bounds and Λ_q
constants   the constants of silu and gelu

Examples
--------
>>> import numpy as np
>>> from isoref.profiles import named, relu, tanh
>>> tanh.gamma_prime(np.array([1e-9, 1.0]))
array([-6.66666667e-10, -3.41619814e-01])
>>> named("relu(tau=0.5)") == relu(tau=0.5)
True
"""

from __future__ import annotations

import re

from isoref.profiles.base import Facts, Profile
from isoref.profiles.gated import Gelu, Silu
from isoref.profiles.linear import Identity, Relu, Unit
from isoref.profiles.rational import Softsign, Squash
from isoref.profiles.sigmoids import Atan, Log1p, Tanh

__all__ = [
    "Facts",
    "Profile",
    "named",
    "tanh",
    "atan",
    "log1p",
    "softsign",
    "squash",
    "silu",
    "gelu",
    "relu",
    "identity",
    "unit",
]

tanh = Tanh()
atan = Atan()
log1p = Log1p()
softsign = Softsign()
squash = Squash()
silu = Silu()
gelu = Gelu()
relu = Relu
identity = Identity()
unit = Unit()

_NAMED: dict[str, Profile] = {
    profile.name: profile
    for profile in (tanh, atan, log1p, softsign, squash, silu, gelu, identity, unit)
}


def named(text: str) -> Profile:
    """Return the profile called `text`: named(profile.name) == profile.

    Raises
    ------
    ValueError
        When there is no such profile, or its parameter is missing or not allowed.

    Examples
    --------
    >>> named("tanh").Lip
    1.0
    >>> named("relu(tau=0.5)").name
    'relu(tau=0.5)'
    """
    if text in _NAMED:
        return _NAMED[text]
    spelled = re.fullmatch(r"relu\(tau=([^()\s]+)\)", str(text))
    try:
        tau = float(spelled[1]) if spelled else None
    except ValueError:
        tau = None
    if tau is None:
        raise ValueError(
            f"a profile is expected, got {text!r}; write one of {', '.join(_NAMED)}, "
            "or relu with its parameter, as in 'relu(tau=0.5)'"
        )
    return relu(tau)
