"""Small copies of the layouts of the zero-shot releases, made from the facts of their public loaders."""

import csv
import pickle

import numpy as np

CLASSES = dict(
    stage_1_train=['Archery', 'Bowling'],
    stage_1_val_seen=['Archery', 'Bowling'],
    stage_1_val_unseen=['HandStandPushups'],
    stage_2_test_seen=['Archery', 'Bowling', 'HandStandPushups'],
    stage_2_test_unseen=['Typing'],
)
UNUSED = 'Swing'  # of the folder and the csv of stage_2_test_unseen, but not of its .txt
WORDS = {
    'Archery': 'Archery',
    'Bowling': 'Bowling',
    'HandstandPushups': 'Handstand Pushups',
    'Typing': 'Typing',
    'Swing': 'Swing',
}
# Data set of the test -> folder of its features, its suffix, and the shape of one video in each modality
RELEASES = dict(
    avca_cls=('cls_features', '.h5', (128,), (4096,)),
    avca_main=('main_features', '.h5', (512,), (512,)),
    tcaf_cls=('cls_features_non_averaged', '.pkl', (3, 128), (5, 4096)),
    tcaf_main=('main_features_non_averaged', '.pkl', (3, 512), (3, 512)),
    clipclap=('cls_features_non_averaged', '.pkl', (1024,), (512,)),
)


def classes_of(split):
    return [*CLASSES[split], *([UNUSED] if split == 'stage_2_test_unseen' else [])]


def videos_of(split, label, number=4):
    return [f'v_{label}_{split}_{i}' for i in range(number)]


def features_of(videos, shape, start=0):
    return [np.full(shape, start + i, np.float32) for i, _ in enumerate(videos)]


def write_file(path, videos, features, suffix='.pkl'):
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == '.h5':
        import h5py  # an optional package

        with h5py.File(path.with_suffix('.h5'), 'w') as file:
            file.create_dataset('data', data=np.array(features))
            file.create_dataset('video_urls', dtype='S80', data=[video.encode() for video in videos])
    else:
        content = {'features': features, 'video_names': [video.encode() for video in videos], 'fps': [25] * len(videos)}
        path.with_suffix('.pkl').write_bytes(pickle.dumps(content))


def write_lists(root):
    folder = root / 'class-split' / 'cls_split'
    folder.mkdir(parents=True, exist_ok=True)
    (root / 'class-split' / 'all_class.txt').write_text('\n'.join(WORDS))
    for split, labels in CLASSES.items():
        rows = [(video, label, 0) for label in classes_of(split) for video in videos_of(split, label)]
        with open(folder / f'{split}.csv', 'w', newline='') as file:
            csv.writer(file).writerows([('filename', 'label', 'label_code'), *rows])
        (folder / f'{split}.txt').write_text('\n'.join(labels))
    columns = {'w2v': ['original', 'manual'], 'clip': ['original', 'manual', 'clip_class_name']}
    for kind, names in columns.items():
        rows = [(label, words, f'clip {words}')[: len(names)] for label, words in WORDS.items()]
        with open(root / 'class-split' / f'ucf_{kind}_class_names.csv', 'w', newline='') as file:
            csv.writer(file).writerows([names, *rows])


def write_vectors(folder, width=300, words='{}', name='word_embeddings_ucf_normed'):
    folder.mkdir(parents=True, exist_ok=True)
    vectors = {words.format(text): np.full(width, i, np.float32) for i, text in enumerate(WORDS.values())}
    np.save(folder / f'{name}.npy', np.array(vectors, dtype=object), allow_pickle=True)


def write_release(root, kind='tcaf_cls', shapes=None):
    """Write one data set of a release; ``shapes`` replaces those of its features."""
    name, suffix, *own = RELEASES[kind]
    write_lists(root)
    for modality, shape in zip(('audio', 'video'), shapes or own, strict=True):
        for split in CLASSES:
            for label in classes_of(split):
                videos = videos_of(split, label)
                path = root / 'features' / name / modality / split / label
                write_file(path, videos, features_of(videos, shape, start=len(label)), suffix)
    text = root / 'features' / name / 'text'
    if kind == 'clipclap':
        write_vectors(text, 512, 'clip {}')
        write_vectors(text, 1024, 'clip {}', 'wavcaps_word_embeddings_ucf_normed')
    else:
        write_vectors(text)
    return root
