"""The constants of silu and gelu that have no closed form, each rounded up to a double.

Lip is σ′ where σ″ = 0: for silu at the root of r tanh(r/2) = 2, for gelu at r = √2. Λ is
√(σ′² + γ′²) at its one stationary point, r = 2.3495845… for silu and 1.3443853… for gelu. Computed
by root finding with 60 digits; `tests/test_profiles_lipschitz.py` repeats it.
"""

SILU_TURNING = 2.3993572805154675
SILU_LIP = 1.099839320128867
SILU_LAMBDA = 1.1025935036053225
GELU_LIP = 1.128904145185155
GELU_LAMBDA = 1.1393607618639956
