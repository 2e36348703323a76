import type { Source } from '../rule.ts';

/** The day on which the sources were read. */
const DATE = '2026-11-30';

const GITHUB = 'https://github.com';

type Read = (file: string, tried?: string) => Source;

function source(title: string, url: string, tried: string | undefined): Source {
  return { title, url, date: DATE, ...(tried === undefined ? {} : { tried }) };
}

/** The file alone, of a text such as `docs/hosts.md, ca field`. */
function pathIn(text: string): string {
  return text.split(/[,;]? /, 1)[0] ?? text;
}

function repository(name: string, path: string, ref: string): Read {
  return (file, tried) => source(`${name}, ${file}`, `${GITHUB}/${path}/blob/${ref}/${pathIn(file)}`, tried);
}

export const containerd24 = repository('containerd 2.4.2', 'containerd/containerd', 'v2.4.2');
export const containerd23 = repository('containerd 2.3.0', 'containerd/containerd', 'v2.3.0');
export const containerd22 = repository('containerd 2.2.0', 'containerd/containerd', 'v2.2.0');
export const containerd21 = repository('containerd 2.1.0', 'containerd/containerd', 'v2.1.0');
export const containerd20 = repository('containerd 2.0.0', 'containerd/containerd', 'v2.0.0');
export const containerd17 = repository('containerd 1.7.29', 'containerd/containerd', 'v1.7.29');
export const moby28 = repository('Docker Engine 28.5.2', 'moby/moby', 'v28.5.2');
export const moby24 = repository('Docker Engine 24.0.8', 'moby/moby', 'v24.0.8');
export const dockerCli = repository('Docker CLI 29.0.3', 'docker/cli', 'v29.0.3');
export const buildkit = repository('BuildKit 0.34.2', 'moby/buildkit', 'v0.34.2');
export const wharfie = repository('wharfie 0.7.1, which reads registries.yaml', 'rancher/wharfie', 'v0.7.1');
export const k3s = repository('k3s', 'k3s-io/k3s', 'main');
export const k3sDocs = repository('documentation of k3s', 'k3s-io/docs', 'main');
export const microk8s = repository('microk8s', 'canonical/microk8s', 'master');
export const crio = repository('CRI-O 1.37', 'cri-o/cri-o', 'main');
export const go = repository('Go 1.26, in which these programs are written', 'golang/go', 'go1.26.8');
export const kubernetes = repository('Kubernetes', 'kubernetes/kubernetes', 'master');
export const kubelet = repository('Kubernetes 1.37, k8s.io/kubelet', 'kubernetes/kubelet', 'v0.37.2');

/** The library of podman, skopeo, buildah and CRI-O. */
export const containersImage: Read = (file, tried) =>
  source(
    `containers/image 5.42.1, ${file}`,
    `${GITHUB}/podman-container-tools/container-libs/blob/main/image/${pathIn(file)}`,
    tried,
  );

export const gitlabRunner: Read = (file, tried) =>
  source(
    `GitLab Runner 19.4, ${file}`,
    `https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/${pathIn(file)}`,
    tried,
  );
