"""Small texts, and a folder with a tiny BERT whose vocabulary is the words of these texts."""

import numpy as np
import pytest
import scipy.sparse as sp

WORDS = [
    ["wolf", "otter", "heron", "beetle"],
    ["granite", "basalt", "marble", "slate"],
    ["violin", "oboe", "timpani", "lute"],
    ["barley", "lentil", "walnut", "quince"],
]
FILLERS = ["near", "the", "old", "river", "and", "under", "a", "small", "bridge", "of"]


@pytest.fixture(scope="session", autouse=True)
def single_torch_thread():
    """Use one thread: for matrices this small, more threads are slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def topic_texts():
    """Return 64 texts with one of 16 topic words each, and the indicator of the topics."""
    rng = np.random.default_rng(0)
    words = [word for group in WORDS for word in group]
    topics = np.tile(np.arange(len(words)), 4)
    texts = []
    for topic in topics:
        row = [str(word) for word in rng.choice(FILLERS, rng.integers(2, 9))]
        row.insert(rng.integers(len(row) + 1), words[topic])
        texts.append(" ".join(row))
    M = sp.csr_matrix(
        (np.ones(len(texts)), topics, np.arange(len(texts) + 1)), shape=(len(texts), len(words))
    )
    return texts, M


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory, topic_texts):
    """Return the path of a BERT with 2 layers, 32 dimensions and at most 64 tokens."""
    import tokenizers
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("tiny_bert")
    # A trained vocabulary would depend on the order of a hash table.
    special_tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for text in topic_texts[0] for word in text.split()})
    vocabulary = {word: number for number, word in enumerate([*special_tokens, *words])}
    tokenizer = tokenizers.BertWordPieceTokenizer(vocabulary)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    return str(folder)
