// Reads generated files by the types of the projects that read them on a node, and prints what these make of them as JSON.
//
//	decoders registries-conf FILE IMAGE   containers' library, which CRI-O, podman, skopeo and buildah share
//	decoders registries-yaml FILE         k3s
package main

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/containers/image/v5/docker/reference"
	"github.com/containers/image/v5/pkg/sysregistriesv2"
	"github.com/containers/image/v5/types"
	"github.com/rancher/wharfie/pkg/registries"
	"gopkg.in/yaml.v3"
)

func main() {
	made, err := decode(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(made)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func decode(words []string) (any, error) {
	if len(words) == 3 && words[0] == "registries-conf" {
		return sources(words[1], words[2])
	}
	if len(words) == 2 && words[0] == "registries-yaml" {
		return registriesOf(words[1])
	}
	return nil, errors.New("usage: decoders registries-conf FILE IMAGE | registries-yaml FILE")
}

// sources are the places that are asked for an image, in their order.
func sources(file, image string) (any, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	empty, err := os.MkdirTemp("", "decoders")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(empty)
	context := &types.SystemContext{SystemRegistriesConfPath: file, SystemRegistriesConfDirPath: empty}
	registry, err := sysregistriesv2.FindRegistry(context, named.Name())
	if err != nil || registry == nil {
		return []string{named.String()}, err
	}
	found, err := registry.PullSourcesFromReference(named)
	made := []string{}
	for _, source := range found {
		made = append(made, source.Reference.String())
	}
	return made, err
}

func registriesOf(file string) (any, error) {
	text, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	decoder := yaml.NewDecoder(text)
	// k3s ignores unknown keys. A generated file has none.
	decoder.KnownFields(true)
	made := registries.Registry{}
	return &made, decoder.Decode(&made)
}
