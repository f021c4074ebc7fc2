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

"""Starts a RealSense camera and the emotion estimator on its colour images: copy and change it."""

import os

from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

# With its names as they are, the camera publishes /camera/camera/color/image_raw, which the preset
# `realsense` means. Depth is not looked at.
CAMERA = {
    'camera_name': 'camera',
    'camera_namespace': 'camera',
    'rgb_camera.color_profile': '640x480x30',
    'enable_depth': 'false',
}
ESTIMATOR = {'camera': 'realsense', 'max_faces': '2'}
# Without it most large images are lost between two processes, with Fast DDS.
PROFILE = 'config/fastdds_large_images.xml'
PROFILE_NAME = (
    'FASTRTPS_DEFAULT_PROFILES_FILE'
    if os.environ.get('ROS_DISTRO') in ('humble', 'iron', 'jazzy')
    else 'FASTDDS_DEFAULT_PROFILES_FILE'
)


def included(package: str, name: str, arguments: dict[str, str]) -> GroupAction:
    """Include a launch file; in a group, so that arguments of the same name stay apart."""
    path = PathJoinSubstitution([FindPackageShare(package), 'launch', name])
    source = PythonLaunchDescriptionSource(path)
    return GroupAction([IncludeLaunchDescription(source, launch_arguments=arguments.items())])


def generate_launch_description() -> LaunchDescription:
    """Describe what is started."""
    profile = PathJoinSubstitution([FindPackageShare('emotion_estimator'), PROFILE])
    return LaunchDescription(
        [
            SetEnvironmentVariable(PROFILE_NAME, profile),
            included('realsense2_camera', 'rs_launch.py', CAMERA),
            included('emotion_estimator', 'emotion_estimator.launch.py', ESTIMATOR),
        ]
    )
