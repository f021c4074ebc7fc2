# Copyright 2026 emotion_estimator maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Installs the package; `colcon build` calls it."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'emotion_estimator'


def shared_files(*folders: str) -> list[tuple[str, list[str]]]:
    """
    List files that are installed below share/<package>, at the path they have here.

    :param folders: folders of the source tree.
    :returns: pairs of target folder and files, as `data_files` wants them.
    """
    pairs: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob('*')):
            if path.is_file() and '__pycache__' not in path.parts:
                pairs.setdefault(f'share/{PACKAGE}/{path.parent}', []).append(str(path))
    return list(pairs.items())


setup(
    name=PACKAGE,
    version='1.0.0',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        f'{PACKAGE}.evaluation.report': ['templates/*'],
        f'{PACKAGE}.view': ['static/*'],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *shared_files(
            *('launch', 'config', 'examples'),
            *('resource/models', 'resource/face_encodings', 'resource/face_mesh'),
        ),
        *shared_files(*map(str, sorted(Path('dev/interfaces').glob('*/msg')))),
    ],
    # OpenCV is not named: apt's has no entry for pip, which would put another one above it.
    install_requires=['setuptools', 'ai-edge-litert>=1.0.1', 'numpy', 'PyYAML'],
    extras_require={
        'cluster': ['distributed'],
        'demo': ['matplotlib', 'rich', 'rosbags>=0.11.7'],
        'mediapipe': ['mediapipe'],
        'opencv': ['opencv-python-headless'],
        'replay': ['Jinja2', 'plotly>=5.23', 'rich>=12.3', 'rosbags>=0.11.7'],
        'test': ['pytest'],
        'video': ['av'],
        'view': ['nicegui>=3', 'segno'],
    },
    zip_safe=False,
    maintainer='emotion_estimator maintainers',
    maintainer_email='maintainers@example.com',
    description='Tells a social robot which expression a face shows, frame by frame.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            f'{command} = {PACKAGE}.commands:main'
            for command in (
                'blendshape_node',
                'camera_node',
                'demo',
                'emotion_estimator',
                'emotion_node',
                'fetch_assets',
                'play',
                'replay',
                'view',
            )
        ],
    },
)
