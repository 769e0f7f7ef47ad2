package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	core "k8s.io/api/core/v1"
)

const statusAnnotation = "dind.io/status"

// injection is what every pod gets.
type injection struct {
	sidecar core.Container
	volumes []core.Volume
	socket  core.VolumeMount
	host    core.EnvVar
	group   int64
	status  status
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

// read takes the injection from a pod that had one container and nothing else.
func read(path string) (*injection, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var pod core.Pod
	if err := json.Unmarshal(content, &pod); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	container := pod.Spec.Containers[0]
	injection := &injection{
		sidecar: pod.Spec.InitContainers[0],
		volumes: pod.Spec.Volumes,
		socket:  container.VolumeMounts[0],
		host:    container.Env[0],
		group:   pod.Spec.SecurityContext.SupplementalGroups[0],
	}
	return injection, json.Unmarshal([]byte(pod.Annotations[statusAnnotation]), &injection.status)
}

// optedIn also tells whether the pod was not injected before.
func optedIn(pod *core.Pod) bool {
	return pod.Annotations["dind.io/inject"] == "true" && pod.Annotations[statusAnnotation] == ""
}

// patch adds the sidecar, with the mounts of the job's own emptyDirs, and the socket for every
// container.
func (injection *injection) patch(pod *core.Pod) []operation {
	sidecar := injection.sidecar
	sidecar.VolumeMounts = slices.Concat(sidecar.VolumeMounts, mirrored(pod))
	patch := []operation{listed("/spec/initContainers", "0", len(pod.Spec.InitContainers) > 0, sidecar)}
	status := injection.status
	status.Containers = nil
	for index, container := range pod.Spec.Containers {
		status.Containers = append(status.Containers, container.Name)
		pointer := fmt.Sprintf("/spec/containers/%d", index)
		patch = append(patch,
			listed(pointer+"/volumeMounts", "0", len(container.VolumeMounts) > 0, injection.socket),
			appended(pointer+"/env", len(container.Env) > 0, injection.host))
	}
	for index, volume := range injection.volumes {
		patch = append(patch, appended("/spec/volumes", len(pod.Spec.Volumes)+index > 0, volume))
	}
	if pod.Spec.SecurityContext == nil {
		groups := core.PodSecurityContext{SupplementalGroups: []int64{injection.group}}
		patch = append(patch, operation{"add", "/spec/securityContext", groups})
	} else {
		has := len(pod.Spec.SecurityContext.SupplementalGroups) > 0
		patch = append(patch,
			appended("/spec/securityContext/supplementalGroups", has, injection.group))
	}
	text, _ := json.Marshal(status) // strings only: it cannot fail
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
