"""What a policy check costs, by service: decided a moment ago ("warm"), and decided anew ("cold").

    python -m tests.bench.policies [--rounds 20]

A request pays the cold price once for each of its rules; the warm one holds for a second, for the same caller and target.
The bar is a median of 20 microseconds. Each round asks every rule as four personas. Nothing here is a test.
"""

import argparse
import statistics
import time

from tests.policies.compare import MINE, OURS, context, ours, target

BAR_US = 20
CALLERS = [context(scope, roles) for scope, roles in (
    ("project", ("admin", "manager", "member", "reader")), ("project", ("member", "reader")), ("project", ("reader",)),
    ("system", ("reader",)))]


def measure(service: str, rounds: int) -> tuple[list[float], list[float]]:
    """The microseconds of each check, warm and cold."""
    policy, of = ours(service), target(MINE, "member")
    of = dict(list(of.items())[:6])  # a server's target has two names, a port's some six
    warm, cold = [], []
    for _ in range(rounds):
        for ctx in CALLERS:
            for rule in policy.names:
                began = time.perf_counter()
                policy._decide(ctx, rule, of)
                cold.append((time.perf_counter() - began) * 1e6)
                policy.allows(ctx, rule, of)
                began = time.perf_counter()
                policy.allows(ctx, rule, of)
                warm.append((time.perf_counter() - began) * 1e6)
    return warm, cold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    print(f"{'':10}{'rules':>6}{'warm':>10}{'cold':>10}   median microseconds a check; the bar is {BAR_US}")
    for service in OURS:
        warm, cold = measure(service, rounds)
        medians = [statistics.median(found) for found in (warm, cold)]
        over = "" if max(medians) < BAR_US else "   OVER"
        print(f"{service:10}{len(ours(service).names):>6}{medians[0]:>10.2f}{medians[1]:>10.2f}{over}")


if __name__ == "__main__":
    main()
