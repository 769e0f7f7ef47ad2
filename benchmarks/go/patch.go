package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	core "k8s.io/api/core/v1"
)

// injection is what every pod gains.
type injection struct {
	Version    string         `json:"version"`
	Profile    string         `json:"profile"`
	Sidecar    core.Container `json:"sidecar"`
	Volumes    []core.Volume  `json:"volumes"`
	SocketHost core.EnvVar    `json:"dockerHost"`
	Group      int64          `json:"group"`
}

// status is the decision as it is written on the pod.
type status struct {
	Version    string   `json:"version"`
	Mode       string   `json:"mode"`
	Profile    string   `json:"profile"`
	Image      string   `json:"image"`
	Containers []string `json:"containers"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func read(path string) (*injection, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var injection injection
	if err := json.Unmarshal(content, &injection); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &injection, nil
}

func wantsDaemon(pod *core.Pod) bool {
	for _, container := range pod.Spec.Containers {
		if container.Name == "dind" {
			return false
		}
	}
	return pod.Annotations["dind.io/inject"] == "true"
}

// patch gives a pod its daemon: the sidecar with the job's own emptyDirs, and the socket for every
// container.
func (injection *injection) patch(pod *core.Pod) []operation {
	sidecar := injection.Sidecar
	sidecar.VolumeMounts = slices.Concat(sidecar.VolumeMounts, mirrored(pod))
	patch := []operation{listed("/spec/initContainers", "0", len(pod.Spec.InitContainers) > 0, sidecar)}
	socket := core.VolumeMount{
		Name:      injection.Volumes[0].Name,
		MountPath: injection.Sidecar.VolumeMounts[0].MountPath,
	}
	names := make([]string, 0, len(pod.Spec.Containers))
	for index, container := range pod.Spec.Containers {
		names = append(names, container.Name)
		pointer := fmt.Sprintf("/spec/containers/%d", index)
		patch = append(patch,
			appended(pointer+"/volumeMounts", len(container.VolumeMounts) > 0, socket),
			appended(pointer+"/env", len(container.Env) > 0, injection.SocketHost))
	}
	for index, volume := range injection.Volumes {
		patch = append(patch, appended("/spec/volumes", len(pod.Spec.Volumes)+index > 0, volume))
	}
	if pod.Spec.SecurityContext == nil {
		groups := core.PodSecurityContext{SupplementalGroups: []int64{injection.Group}}
		patch = append(patch, operation{"add", "/spec/securityContext", groups})
	} else {
		has := len(pod.Spec.SecurityContext.SupplementalGroups) > 0
		patch = append(patch,
			appended("/spec/securityContext/supplementalGroups", has, injection.Group))
	}
	text, _ := json.Marshal(status{ // plain strings: it cannot fail
		injection.Version, "sidecar", injection.Profile, injection.Sidecar.Image, names})
	return append(patch, operation{"add", "/metadata/annotations/dind.io~1status", string(text)})
}

// mirrored are the mounts of the job's emptyDirs, each path once.
func mirrored(pod *core.Pod) []core.VolumeMount {
	shared := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		shared[volume.Name] = volume.EmptyDir != nil
	}
	var mounts []core.VolumeMount
	seen := map[string]bool{}
	for _, container := range pod.Spec.Containers {
		for _, mount := range container.VolumeMounts {
			if shared[mount.Name] && !seen[mount.MountPath] {
				seen[mount.MountPath] = true
				mounts = append(mounts, mount)
			}
		}
	}
	return mounts
}

func appended(list string, exists bool, value any) operation {
	return listed(list, "-", exists, value)
}

// listed puts a value into a list, which need not exist.
func listed(list, position string, exists bool, value any) operation {
	if !exists {
		return operation{"add", list, []any{value}}
	}
	return operation{"add", list + "/" + position, value}
}
