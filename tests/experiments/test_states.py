import pytest
import torch

from tests.small_models import lively
from utils.experiments import states
from utils.models.feedback import Feedback
from utils.models.recurrent import Recurrent
from utils.models.transformer import TransformerConfig
from utils.worlds import Groups, Topics

WORLD = Topics(24)
ROWS = WORLD.sample(200, seed=0)
CONFIG = TransformerConfig(len(WORLD.vocab), d_model=16, n_layers=2, n_heads=2, max_len=25)
KINDS = {
    "transformer": lively(CONFIG),
    "feedback": Feedback(lively(CONFIG)),
    "recurrent": Recurrent(len(WORLD.vocab), 8, 16, seed=0),
}


def made_of(position, slow, fast, texts=2000, places=30):
    """States with variances that are known."""
    dice = torch.Generator().manual_seed(0)
    place = torch.randn(1, places, 5, generator=dice)
    place = place - place.mean(1, keepdim=True)
    place = place / place.square().sum(-1).mean().sqrt()
    text = torch.randn(texts, 1, 4, generator=dice) / 2
    new = torch.randn(texts, places, 4, generator=dice) / 2
    parts = [position * place.expand(texts, -1, -1), slow * text.expand(-1, places, -1)]
    return torch.cat([*parts, fast * new], -1)


def test_the_parts_of_the_variance_are_those_that_were_put_in():
    found = states.split(made_of(1.0, 2.0, 3.0), lag=8).shares()
    assert found == pytest.approx((1 / 14, 4 / 14, 9 / 14), abs=0.01)


@pytest.mark.parametrize("texts", [3, 20])
def test_a_few_texts_make_nothing_look_like_position_or_memory(texts):
    """Noise alone, many times: a mean over few texts follows them, and that is allowed for."""
    dice = torch.Generator().manual_seed(1)
    tries = [states.split(torch.randn(texts, 40, 30, generator=dice)) for _ in range(30)]
    shares = torch.tensor([found.shares() for found in tries]).mean(0)
    assert shares.tolist() == pytest.approx([0, 0, 1], abs=0.02)


def test_models_together_have_the_mean_of_their_shares_whatever_their_size():
    one, other = made_of(1, 2, 3, texts=50), 100 * made_of(2, 1, 1, texts=50)
    found = [states.split(each) for each in (one, other)]
    mean = torch.tensor([each.shares() for each in found]).mean(0)
    assert states.together(found).shares() == pytest.approx(mean.tolist(), abs=1e-6)


def test_what_fades_by_a_tenth_at_each_word_is_found_to():
    dice = torch.Generator().manual_seed(2)
    x = [torch.randn(3000, 4, generator=dice)]
    for _ in range(30):
        x.append(0.9 * x[-1] + (1 - 0.81) ** 0.5 * torch.randn(3000, 4, generator=dice))
    found = states.autocorrelation(torch.stack(x, 1) + 5, (0, 1, 4, 16))
    assert found == pytest.approx([1, 0.9, 0.9**4, 0.9**16], abs=0.02)


def test_a_reading_finds_what_is_there_and_not_what_is_not():
    dice = torch.Generator().manual_seed(3)
    seen = torch.randn(100, 20, 6, generator=dice)
    truth = torch.stack([seen[..., 0] + 2, seen[..., 1] - seen[..., 2]], -1).double()
    read = states.regression(seen[:50], truth[:50])
    assert states.known(read, seen[50:], truth[50:]).share == pytest.approx(1, abs=1e-4)
    other = torch.randn(100, 20, 2, generator=dice).double()
    read = states.regression(seen[:50], other[:50])
    assert states.known(read, seen[50:], other[50:]).share == pytest.approx(0, abs=0.03)


def test_directions_are_those_in_which_states_follow_the_belief():
    belief = WORLD.beliefs(ROWS)
    dice = torch.Generator().manual_seed(4)
    along = torch.linalg.qr(torch.randn(10, 5, generator=dice)).Q.T  # at right angles
    noise = torch.randn(200, 25, 2, generator=dice) * torch.tensor([5.0, 2.0])
    seen = 3 * belief.float() @ along[:3] + noise @ along[3:]
    basis = states.directions(seen, belief)
    assert torch.allclose(basis.T @ basis, torch.eye(2), atol=1e-5)
    common = along[:3].sum(0) / 3**0.5  # the probabilities sum to 1: along it nothing moves
    assert float((basis.T @ common).abs().max()) < 0.05
    assert float((along[:3] @ basis).norm()) == pytest.approx(2**0.5, abs=0.02)
    others = states.directions(seen, belief, "others")
    assert float((along[3:] @ others).norm()) == pytest.approx(2**0.5, abs=0.01)
    assert float((others.T @ basis).abs().max()) < 1e-4
    assert torch.equal(states.directions(seen, belief, "all"), torch.eye(10))
    with pytest.raises(ValueError, match="kind is 'some'"):
        states.directions(seen, belief, "some")


def test_where_a_belief_is_read_need_not_be_where_it_is_written():
    """Noise that lies on the belief's directions and beside them: to read, take the difference."""
    belief = WORLD.beliefs(ROWS)
    noise = torch.randn(200, 25, 2, generator=torch.Generator().manual_seed(6)) / 4
    seen = torch.cat([belief[..., :2].float() + noise, noise], -1)
    plus, minus = torch.eye(4)[:, :2], torch.cat([torch.eye(2), -torch.eye(2)]) / 2**0.5
    for kind, along in (("belief", plus), ("read", minus)):
        basis = states.directions(seen, belief, kind)
        assert torch.allclose(basis @ basis.T, along @ along.T, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_whole_state_exchanged_at_every_word_is_the_other_text(kind):
    model, width = KINDS[kind], 16
    depth = len(states.streams(model, ROWS[:2]))
    everything = [torch.eye(width)] * depth
    ours, donors = ROWS[:20], ROWS[20:40]
    got = states.swapped(model, ours, donors, everything, slice(0, 25))
    assert torch.allclose(got, model(donors), atol=1e-4)
    nothing = [torch.zeros(width, 2)] * depth
    got = states.swapped(model, ours, donors, nothing, slice(5, 9))
    assert torch.allclose(got, model(ours), atol=1e-5)


class Oracle(Recurrent):
    """Hands on the belief itself, and says what Bayes' rule says."""

    def __init__(self):
        super().__init__(len(WORLD.vocab), 2, 3, seed=0)

    def __call__(self, tokens):
        return self.say(self.states(tokens))

    def states(self, tokens, start=None):
        return WORLD.beliefs(tokens)

    def say(self, beliefs):
        said = WORLD.next_probs(beliefs)
        last = torch.full_like(said[:, :1], 1 / said.shape[-1])
        return torch.cat([said, last], 1).clamp_min(1e-30).log()

    def changed(self, tokens, places, change):
        own = change(0, self.states(tokens[:, : places.stop]))
        beliefs = list(own.unbind(1))
        for t in range(places.stop, tokens.shape[1]):
            beliefs.append(WORLD.updated(beliefs[-1], tokens[:, t], t))
        return self.say(torch.stack(beliefs, 1))


def test_who_hands_the_belief_on_goes_on_just_as_is_due():
    oracle, ours, donors = Oracle(), ROWS[:100], ROWS[100:]
    basis = [torch.eye(3, dtype=torch.float64)]
    found = states.after_swap(oracle, WORLD, ours, donors, basis, 10, 8)
    assert found.shares() == pytest.approx([1.0] * 8, abs=1e-9)
    assert found.moved.shape == (100, 8) and (found.due >= 0).all()
    nothing = [torch.zeros(3, 3, dtype=torch.float64)]
    found = states.after_swap(oracle, WORLD, ours, donors, nothing, 10, 8)
    assert found.shares() == pytest.approx([0.0] * 8, abs=1e-9)


def test_what_is_compared_is_the_change_and_not_what_was_there_before():
    """Who reads the donors' words up to a place, and then its own, goes on as is due."""
    oracle, ours, donors = Oracle(), ROWS[:100], ROWS[100:]
    spliced = torch.cat([donors[:, :11], ours[:, 11:]], 1)
    for logits, share in ((oracle(spliced), 1.0), (oracle(ours), 0.0)):
        found = states.compared(oracle, WORLD, ours, donors, logits, 10, 8)
        assert found.shares() == pytest.approx([share] * 8, abs=1e-9)
    with pytest.raises(ValueError, match="place is 24"):
        states.compared(oracle, WORLD, ours, donors, oracle(ours), 24, 1)


def test_a_state_is_right_where_it_is_said_after_its_move():
    game = Groups("cups", 6)

    def knows(rows):
        """The state after each move, at that move."""
        said = torch.zeros(*rows.shape, len(game.vocab))
        after = game.follow(rows[:, 1:])
        return said.scatter(-1, torch.cat([rows[:, :1], after], 1)[..., None], 1.0)

    assert states.right_after(knows, game, 50).all()
    assert not states.right_after(lambda rows: knows(rows).roll(1, 1), game, 50)[:, 1:].all()


def test_what_cannot_be_split_is_said():
    with pytest.raises(ValueError, match="two or more"):
        states.split(torch.randn(1, 20, 4))
    with pytest.raises(ValueError, match="lag is 20"):
        states.split(torch.randn(3, 20, 4), lag=20)
