import { makeCertificate } from '../../../src/lab/certificate.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { manifestOf, manifestsIn, type PodSpec } from './chart.ts';
import { KubeletVolume, type Objects } from './kubelet-volume.ts';

export function configOf(text: string): Objects {
  return { breakwater: { ...manifestOf(text, 'ConfigMap').data } };
}

/** The volume of the rendered pod, with Secrets as the example makes them. A Secret and the ConfigMap may have the same name. */
export async function volumeOf(owner: Owner, text: string): Promise<{ volume: KubeletVolume; objects: Objects }> {
  const workload = manifestsIn(text).find(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet');
  const [configuration] = (workload?.spec.template.spec as PodSpec).volumes;
  const { cert, key } = await makeCertificate({ names: ['cr.example.io'] });
  const secrets = {
    'edge.key': 'k'.repeat(48),
    'probe.secret': 'probe-password\n',
    'replication.secret': 'replication-password\n',
    'gcr-key.json': '{"type":"service_account"}',
    'hook.secret': 'the secret of the hooks\n',
    'admin.token': 'a token of the administrator\n',
    'metrics.token': 'a-token-for-prometheus',
  };
  const tls = { 'tls.crt': cert, 'tls.key': key };
  const objects: Objects = {
    breakwater: { ...secrets, ...configOf(text).breakwater },
    'breakwater-node': secrets,
    'breakwater-tls': tls,
    'breakwater-node-tls': tls,
    'harbor-ca': { 'ca.crt': cert },
  };
  const volume = new KubeletVolume(temporaryFolder(owner), configuration?.projected.sources ?? []);
  volume.update(objects);
  return { volume, objects };
}
