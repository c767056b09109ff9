"""Small random changes to texts."""


def change(rng, data, alphabet):
    """`data` with one small change."""
    data = bytearray(data)
    place = rng.randrange(len(data) + 1)
    match rng.randrange(7):
        case 0:
            data.insert(place, rng.choice(alphabet))
        case 1 if data:
            data[place % len(data)] = rng.choice(alphabet)
        case 2 if data:
            del data[place % len(data)]
        case 3 if data:
            data[place % len(data)] ^= 1 << rng.randrange(7)
        case 4:
            del data[place:]
        case 5:
            data[place:place] = data[place : place + rng.randrange(1, 9)]
        case _:
            other = rng.randrange(len(data) + 1)
            low, high = min(place, other), min(max(place, other), min(place, other) + 6)
            del data[low:high]
    return bytes(data)
