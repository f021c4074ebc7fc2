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

"""
How `make docs` makes a site of the repository's pages; Sphinx reads it.

A file of its own because Sphinx looks for it by this name. The pages stay where readers of the
repository look for them, so the root is the source. The reference is made of the docstrings
without importing anything.
"""

project = 'emotion_estimator'
project_copyright = '2026 emotion_estimator maintainers'
extensions = ['myst_parser', 'autoapi.extension', 'sphinx_copybutton']
root_doc = 'doc/index'
include_patterns = [
    'README.md',
    'MODEL_CARD.md',
    'CONTRIBUTING.md',
    'CHANGELOG.rst',
    'config/README.md',
    'examples/README.md',
    'training/README.md',
    'doc/**',
    'reference/**',
]
html_theme = 'furo'
html_title = 'emotion_estimator'
myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence']
autoapi_dirs = ['emotion_estimator']
autoapi_root = 'reference'
autoapi_options = ['members', 'undoc-members', 'show-module-summary']
autoapi_add_toctree_entry = False
autoapi_keep_files = False
nitpicky = False
